"""What is wrong with a machine, a store, an index, a server or a cluster, and what to do about it.

Looks and changes nothing; says nothing that is secret.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
