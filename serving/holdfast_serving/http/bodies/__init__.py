"""The bodies that clients send to be embedded or searched with, in whichever shape their API has.

A shape is told from the others by its address, its Content-Type or its keys, and becomes the one request that
the routes know; its answer is made here as well.
"""
