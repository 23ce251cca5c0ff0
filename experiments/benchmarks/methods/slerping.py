"""The two-forward baseline: meet halfway between the old query and the aligned new one.

Not an adapter, because it needs both encoders at query time: the cost of two forward passes.
"""

import numpy as np

_FLAT = 1e-4  # radians within which the arc is straight, or half a circle


def slerp(old: np.ndarray, aligned: np.ndarray, alpha: float = 0.5) -> np.ndarray:
    """The point at the share `alpha` of the great circle from row to row, contiguous float32 (n, d).

    `old` holds the old version's queries, `aligned` what an adapter (the rotation) makes of the new version's
    queries of the same images: both float32 (n, d), unit norm. 0 is the old query, 1 the aligned new one, 0.5
    the normalized midpoint, which does about as well as a fitted value. Between opposite points no arc is
    shortest: the nearer of the two is returned. Ricci, Biondi and Pernici, methods section 8.
    """
    start, end = old.astype(np.float64), aligned.astype(np.float64)
    # Of the chords, because arccos loses half of the digits near 0 and pi.
    angle = 2 * np.arctan2(np.linalg.norm(end - start, axis=1), np.linalg.norm(end + start, axis=1))
    curved = (angle > _FLAT) & (angle < np.pi - _FLAT)
    sine = np.where(curved, np.sin(angle), 1.0)
    from_start = np.where(curved, np.sin((1 - alpha) * angle) / sine, 1 - alpha)
    from_end = np.where(curved, np.sin(alpha * angle) / sine, alpha)
    opposite = angle >= np.pi - _FLAT
    from_start[opposite], from_end[opposite] = (1, 0) if alpha <= 0.5 else (0, 1)
    between = from_start[:, None] * start + from_end[:, None] * end
    return (between / np.linalg.norm(between, axis=1, keepdims=True)).astype(np.float32)
