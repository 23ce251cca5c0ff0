"""The command line: one file a group of verbs, and `output`, which says how answers look.

Verbs import what they need when they are called: PyTorch, FAISS and Ray take seconds, and listing versions or
moving traffic needs none of them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
