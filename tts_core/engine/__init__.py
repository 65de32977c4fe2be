"""The neural side: the only code that knows torch. Importing this package does not load it."""
