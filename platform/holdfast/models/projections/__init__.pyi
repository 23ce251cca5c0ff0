from .model import ProjectedModel
from .projection import PROJECTION, Projection, ProjectionContract

__all__ = ["PROJECTION", "ProjectedModel", "Projection", "ProjectionContract"]
