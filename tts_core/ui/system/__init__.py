"""The System tab, and the pages about the server beside it."""
