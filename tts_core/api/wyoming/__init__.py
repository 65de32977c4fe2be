"""Wyoming, the protocol of Home Assistant's voice services: speech out and in over TCP."""
