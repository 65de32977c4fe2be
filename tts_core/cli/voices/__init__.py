"""Commands about voices."""
