"""Takes while they are generated: frames of several takes beside each other, and who is served next."""
