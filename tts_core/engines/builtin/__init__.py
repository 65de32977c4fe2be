"""The built-in voice that speaks each sentence with the engine for its language."""
