"""Routes about projects of long texts."""
