"""Other engines for the same weights, measured beside this one, each by its own Python. Imports nothing of ours."""
