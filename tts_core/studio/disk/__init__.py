"""The files of projects: written whole, changes first, and read back whatever happened."""
