"""The System tab and what is told of the server beside it."""
