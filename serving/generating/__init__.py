"""Makes the clients' generated halves: see `__main__`."""
