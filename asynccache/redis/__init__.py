"""The Redis layer: connections, scripts, the store and the bus."""
