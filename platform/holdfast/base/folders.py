"""Where this machine keeps what can be made anew."""

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """`$HOLDFAST_CACHE`, else the user's cache folder of this system."""
    return Path(os.environ.get("HOLDFAST_CACHE") or platformdirs.user_cache_dir("holdfast"))
