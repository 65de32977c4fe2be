"""The program that runs inside YourTTS's own environment. Start with __main__.py; the studio never imports it."""
