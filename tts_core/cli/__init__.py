"""The command line: the same use cases as the page and REST, one module per command."""
