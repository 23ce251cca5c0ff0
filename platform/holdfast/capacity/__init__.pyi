from .constants import Constant, Constants, load_constants
from .database import DatabasePlan, database_plan
from .demand import Demand, Machine
from .index_plan import IndexPlan
from .local_index import LocalKind, LocalSize, local_size
from .plan import Plan, make_plan
from .upgrades import UpgradePlan

__all__ = [
    "Constant",
    "Constants",
    "DatabasePlan",
    "Demand",
    "IndexPlan",
    "LocalKind",
    "LocalSize",
    "Machine",
    "Plan",
    "UpgradePlan",
    "database_plan",
    "load_constants",
    "local_size",
    "make_plan",
]
