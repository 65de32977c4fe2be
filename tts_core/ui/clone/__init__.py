"""The Clone tab."""
