"""Whisper: writes down what is said in a recording, and measures how far that is from what should have been said."""
