"""What every room stands on: errors, settings, YAML, text, secrets, files that appear whole, this machine."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
