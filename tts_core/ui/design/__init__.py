"""The Design tab."""
