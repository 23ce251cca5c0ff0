from .layout import Layout, Roles, assign_roles
from .opening import open_reader
from .reader import Portion, Reader, roles_of

__all__ = ["Layout", "Portion", "Reader", "Roles", "assign_roles", "open_reader", "roles_of"]
