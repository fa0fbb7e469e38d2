"""Widgets: layout and paint over the view models. Refuses to know the core and to read or write files."""
