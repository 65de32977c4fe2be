"""What is said in a recording, written down by Whisper, and how far that is from what should have been said."""
