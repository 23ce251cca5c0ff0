"""Seeds that depend on where in the sequence they are used, never on what ran before."""

import hashlib


def derive_seed(seed: int, *place: str | int) -> int:
    """A 63-bit seed for one place of the sequence, such as `derive_seed(0, "task", 3, "step", 41)`.

    Because every random draw is made from such a seed, a run that continues from a checkpoint draws what
    the uninterrupted run would have drawn.
    """
    text = "/".join(str(part) for part in (seed, *place))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
