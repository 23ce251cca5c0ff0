"""Who is told of a run while it goes on: MLflow, TensorBoard, Weights & Biases, or a tracker of your own."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
