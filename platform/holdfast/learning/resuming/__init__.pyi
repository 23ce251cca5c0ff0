from .ancestors import pack_ancestor, reading_checkpoint, require_same_contents, unpack_ancestor
from .checkpoints import (
    FORMAT,
    Checkpoints,
    FolderCheckpoints,
    State,
    pack_state,
    read_state,
    write_state,
)
from .contents import (
    Contents,
    describe_contents,
    describe_stream,
    describe_weights,
    find_changes,
    outline_contents,
)

__all__ = [
    "Checkpoints",
    "Contents",
    "FORMAT",
    "FolderCheckpoints",
    "State",
    "describe_contents",
    "describe_stream",
    "describe_weights",
    "find_changes",
    "outline_contents",
    "pack_ancestor",
    "pack_state",
    "read_state",
    "reading_checkpoint",
    "require_same_contents",
    "unpack_ancestor",
    "write_state",
]
