"""Every sentence that a person reads: codes and facts become words here, in the language handed in."""
