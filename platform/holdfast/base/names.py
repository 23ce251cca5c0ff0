"""Names of versions."""


def version_number(name: str) -> int:
    """3 of `v3`: the order in which versions were published."""
    return int(name[1:])
