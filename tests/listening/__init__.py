"""Real ears on real speech: what every way in makes is transcribed, and compared with what it should say."""
