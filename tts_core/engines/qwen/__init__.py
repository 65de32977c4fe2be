"""Qwen3-TTS: the neural engine, the only code here that computes with torch. Importing it does not load torch."""
