"""Cloning: turns a recording of a voice into what a clone is made from."""
