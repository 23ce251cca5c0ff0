"""The Ray Serve application: versioned embeddings and search over one shared gallery, by HTTP.

Importing this package does not import ray: `serve_forever` sets Ray's environment first.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
