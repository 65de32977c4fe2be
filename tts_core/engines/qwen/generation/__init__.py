"""Takes while they are generated: frames of several takes beside each other, and the order of serving them."""
