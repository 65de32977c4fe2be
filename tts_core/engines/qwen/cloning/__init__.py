"""A recording of a voice to what a clone is made from."""
