"""Piper's voices: small ONNX models, one per voice, fast on any CPU. Needs the optional package piper-tts."""
