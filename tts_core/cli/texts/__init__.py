"""Commands about texts before they are spoken."""
