"""Requests a second, beside the server that a user would write."""
