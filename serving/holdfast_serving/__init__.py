"""The Ray Serve application: versioned embeddings and search over one shared gallery, by HTTP.

Importing this package does not import ray: `serve_forever` sets Ray's environment first.
"""

from holdfast_serving.config import ServingConfig
from holdfast_serving.server import serve_forever

__all__ = ["ServingConfig", "serve_forever"]
