"""The codec: turns codes into sound and sound into codes."""
