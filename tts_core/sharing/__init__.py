"""A public link: the studio reached through a share server, by way of a helper program on this machine."""
