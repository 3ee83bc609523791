"""The first level: entries in the process."""
