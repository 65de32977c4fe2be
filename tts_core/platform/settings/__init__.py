"""The resolved configuration: every variable and option, read once and checked."""
