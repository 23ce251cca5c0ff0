"""What a gallery of some size would take: memory, disks, machines, hours and money, on paper.

Everything follows from the formulas of the parts themselves and from constants that a benchmark measured.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
