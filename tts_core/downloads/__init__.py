"""Getting the bytes of model files: hubs, HTTP, parts that survive, copies that exist already. Knows no queue."""
