"""Sound that leaves while it is made, in the formats that clients ask for. Files are `audio`'s."""
