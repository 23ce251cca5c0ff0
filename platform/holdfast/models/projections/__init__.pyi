from .model import ProjectedModel
from .projection import PROJECTION, Projection, ProjectionContract, principal_directions

__all__ = ["PROJECTION", "ProjectedModel", "Projection", "ProjectionContract", "principal_directions"]
