"""Services that other programs know by ports of their own: YourTTS and speaker embeddings."""
