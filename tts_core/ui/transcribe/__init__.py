"""Transcribe buttons beside every recording."""
