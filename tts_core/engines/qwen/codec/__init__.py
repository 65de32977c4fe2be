"""Codec codes to sound and back."""
