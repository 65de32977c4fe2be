"""Transcribe buttons wherever a recording is."""
