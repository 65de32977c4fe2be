"""YourTTS through coqui-tts, which lives in an environment and a process of its own."""
