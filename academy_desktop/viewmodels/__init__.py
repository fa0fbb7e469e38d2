"""State for the screen: Qt models and signals over the core. Refuses to know widgets, files and processes."""
