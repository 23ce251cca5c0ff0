"""From opening images to publishing a version: how fast, and in how much memory."""
