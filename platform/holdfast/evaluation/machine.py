"""The machine that a figure was measured on, so that it stands beside the figure."""

import os
import platform
from pathlib import Path
from typing import Any

import torch

from holdfast.base import cpu_count


def describe_machine() -> dict[str, Any]:
    """Processor, cores this process may use, memory in GiB, accelerator, platform, versions and threads."""
    return {
        "processor": _processor(),
        "cores": cpu_count(),
        "memory_gib": _memory_gib(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "platform": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.lower().startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None
