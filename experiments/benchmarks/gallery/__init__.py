"""Entries and their index: writing, searching, starting, and a gallery that is embedded anew."""
