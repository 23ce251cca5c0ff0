"""What the names of all databases have in common."""

from holdfast.base import DataError, hide_in_url


def split_place(kind: str, place: str, wanted: str) -> tuple[str, str]:
    """`WHERE/NAME` in two. Raises DataError, with how it is `wanted`, where one of them is missing."""
    where, _, name = place.rstrip("/").rpartition("/")
    if not where or not name or where.endswith(("/", ":")):
        raise DataError(f"{kind}:{hide_in_url(place)} names no place: write {kind}:{wanted}.")
    return where, name


def one_line(error: BaseException) -> str:
    """What an error says, on a line and cut short."""
    said = " ".join(str(error).split()) or type(error).__name__
    return said[:300].rstrip(". ")
