"""Why a replica is not ready."""

DRAINING = "the server is shutting down"
BEHIND = "the index has not caught up with the store yet"
NOTHING_LIVE = "no version is live yet"
"""What it waits for is the operator: everything else is done."""
