"""Machines that share no file, on this host: what a cluster of them does, whatever is lost."""
