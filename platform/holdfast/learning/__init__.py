"""Learning one task (`Learner`) and all tasks (`run_sequence`). Pure PyTorch: Ray is not known here."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
