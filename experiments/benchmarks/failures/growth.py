"""The memory of processes over time: looked at, kept, and judged by its slope."""

import contextlib
import csv
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from scipy import stats  # type: ignore[import-untyped]

from experiments.benchmarks.harness.processes import Processes, memory_of

BLOCKS = 20
NOTHING = 1.0
"""MiB an hour."""
SHARE = 2 / 3
"""Of the time, at its end, that is judged: before it caches and pools fill."""


@dataclass(frozen=True)
class Sample:
    """Memory of one process, in MiB, `seconds` after the beginning."""

    seconds: float
    kind: str
    pid: int
    rss: float
    uss: float
    anonymous: float


class Watch:
    """Looks at all processes of some kinds, every so many seconds while it is entered."""

    def __init__(self, processes: Processes, kinds: Sequence[str], every: float) -> None:
        self.samples: list[Sample] = []
        self._processes, self._kinds, self._every = processes, kinds, every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        begun = time.monotonic()
        while True:
            there = self._processes.kinds()
            for kind in self._kinds:
                for pid in there[kind]:
                    with contextlib.suppress(OSError):
                        found = memory_of(pid)
                        seconds = time.monotonic() - begun
                        self.samples.append(Sample(seconds, kind, pid, **asdict(found)))
            if self._stop.wait(self._every):
                return


@dataclass(frozen=True)
class Slope:
    """MiB an hour, with the ends of its 95 % interval; `first` and `last` are MiB at the ends of what was
    judged, by the line."""

    value: float
    low: float
    high: float
    first: float
    last: float

    @property
    def grows(self) -> bool:
        """Surely, and by more than an operator would take for nothing."""
        return self.low > NOTHING


def slope(seconds: Sequence[float], mib: Sequence[float]) -> Slope:
    """A line through the means of `BLOCKS` parts of the last two thirds, for samples beside each other are
    not independent; the interval is Student's. At least three parts have to have a sample.

    Raises ValueError for fewer.
    """
    times, values = np.asarray(seconds, float), np.asarray(mib, float)
    late = times >= times[-1] - SHARE * (times[-1] - times[0])
    times, values = times[late], values[late]
    part = np.minimum((times - times[0]) / max(times[-1] - times[0], 1e-9) * BLOCKS, BLOCKS - 1).astype(int)
    used = np.unique(part)
    if len(used) < 3:
        raise ValueError("a slope takes samples at three moments and more")
    hours = np.array([times[part == each].mean() for each in used]) / 3600
    means = np.array([values[part == each].mean() for each in used])
    (steepness, start), left, *_ = np.polyfit(hours, means, 1, full=True)
    spread = np.sum(np.square(hours - hours.mean()))
    error = np.sqrt((left[0] if len(left) else 0.0) / (len(used) - 2) / spread)
    reach = float(stats.t.ppf(0.975, len(used) - 2) * error)
    first, last = (float(start + steepness * end / 3600) for end in (times[0], times[-1]))
    return Slope(float(steepness), float(steepness) - reach, float(steepness) + reach, first, last)


def slopes(samples: Sequence[Sample], measure: str) -> dict[str, Slope]:
    """By kind, of all its processes together; `measure` is `rss`, `uss` or `anonymous`.

    A process that came or went makes a step of its own, so a kind with other processes at the end than at the
    beginning has no slope, and raises ValueError.
    """
    found = {}
    for kind in dict.fromkeys(sample.kind for sample in samples):
        pids = sorted({sample.pid for sample in samples if sample.kind == kind})
        curves = [[s for s in samples if s.kind == kind and s.pid == pid] for pid in pids]
        begun = min(curve[0].seconds for curve in curves)
        ended = max(curve[-1].seconds for curve in curves)
        slack = (ended - begun) / 10
        if any(curve[0].seconds > begun + slack or curve[-1].seconds < ended - slack for curve in curves):
            raise ValueError(f"the {kind} was replaced by another process meanwhile: {pids}")
        shortest = min(len(curve) for curve in curves)
        total = [sum(getattr(curve[k], measure) for curve in curves) for k in range(shortest)]
        found[kind] = slope([curves[0][k].seconds for k in range(shortest)], total)
    return found


def keep_samples(file: Path, samples: Sequence[Sample]) -> None:
    with file.open("w", newline="") as opened:
        table = csv.DictWriter(opened, [field.name for field in fields(Sample)])
        table.writeheader()
        for sample in samples:
            table.writerow(
                {name: round(v, 2) if isinstance(v, float) else v for name, v in asdict(sample).items()}
            )


def draw(file: Path, samples: Sequence[Sample], lines: Mapping[str, Slope]) -> None:
    """A panel a kind: the memory of each of its processes, and the line of `lines`, of what is anonymous,
    with its slope."""
    from experiments.benchmarks.harness.drawing import CONTROL, OTHER, STRONG, draw_into, plt

    def drawn() -> Any:
        figure, axes = plt.subplots(1, len(lines), figsize=(3.2 * len(lines), 2.6), squeeze=False)
        for axis, (kind, line) in zip(axes[0], lines.items(), strict=True):
            for pid in sorted({sample.pid for sample in samples if sample.kind == kind}):
                own = [sample for sample in samples if sample.kind == kind and sample.pid == pid]
                minutes = [sample.seconds / 60 for sample in own]
                axis.plot(minutes, [s.rss for s in own], color=CONTROL, linewidth=1, label="RSS")
                axis.plot(minutes, [s.uss for s in own], color=OTHER, linewidth=1, label="USS")
                axis.plot(minutes, [s.anonymous for s in own], color=STRONG, linewidth=0.7, label="anonymous")
            end = max(sample.seconds for sample in samples) / 60
            axis.plot([end * (1 - SHARE), end], [line.first, line.last], color=STRONG, linewidth=1.5)
            said = f"{kind}: anonymous {line.value:+.1f} MiB/h\n95 %: {line.low:+.1f} to {line.high:+.1f}"
            axis.set_title(said, fontsize=8, loc="left")
            axis.set_ylim(bottom=0)
            axis.set_xlabel("minutes")
        axes[0][0].set_ylabel("MiB")
        handles, labels = axes[0][0].get_legend_handles_labels()
        axes[0][0].legend(handles[:3], labels[:3], frameon=False, loc="lower right")
        return figure

    draw_into(file, drawn)
