"""Transformers with int8 or 4-bit weights."""
