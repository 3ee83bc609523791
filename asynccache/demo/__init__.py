"""The demo: a real shop under a real load, without the cache and with it."""
