"""Keeping freed memory in the process, which a training step allocates and frees by the hundred megabytes."""

import contextlib
import ctypes
import platform

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST = 2**31 - 1


def keep_freed_memory() -> None:
    """Tell glibc's allocator to keep what this process frees.

    By default it maps every large tensor anew and hands it back at once, so that the kernel clears the same
    pages in every step: 8 to 15 % of a step of conv4 on a CPU. The price is that the process keeps the memory
    of its largest step. For processes that learn; does nothing with another allocator.
    """
    if platform.libc_ver()[0] == "glibc":
        with contextlib.suppress(OSError, AttributeError):
            allocator = ctypes.CDLL(None)
            allocator.mallopt(M_MMAP_THRESHOLD, 2**30)
            allocator.mallopt(M_TRIM_THRESHOLD, LARGEST)
