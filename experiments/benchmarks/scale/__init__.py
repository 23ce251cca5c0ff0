"""Galleries that are too large for these machines: the constants of a plan, how far it is right, and one
hundred million codes."""
