from .verbs import promote, rollback, traffic

__all__ = [
    "promote",
    "rollback",
    "traffic",
]
