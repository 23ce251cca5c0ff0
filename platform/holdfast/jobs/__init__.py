"""What runs on Ray: learning, sweeps, embedding, submission. Nothing below this package knows Ray."""
