"""Sound files and streams: reading, judging, editing, writing and encoding them. Knows nothing of speech engines."""
