"""A model of the protocol between processes and Redis, explored in every order of its steps."""
