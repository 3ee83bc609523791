"""What the tests stand on: real servers and a faulty network between them and the cache."""
