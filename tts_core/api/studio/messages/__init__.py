"""A job in the three shapes that clients know: REST, server-sent events, WebSocket, all made from the same facts."""
