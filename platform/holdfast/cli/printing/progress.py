"""How far something is: bars on a terminal, and what stands in for them elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

if TYPE_CHECKING:
    from holdfast.learning import Progress


def bars(console: Console, *further: ProgressColumn) -> Bars:
    """Bars with a name and a count, which leave nothing behind; on a terminal only."""
    return Bars(
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        *further,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


class ProgressView:
    """Shows a running sequence: bars on a terminal, one line an epoch elsewhere."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars = bars(self._console, TextColumn("{task.fields[note]}"))
        self._bar: TaskID | None = None
        self._place: tuple[Any, ...] = ()

    def __enter__(self) -> "ProgressView":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def __call__(self, progress: "Progress") -> None:
        if progress.version:
            return  # the summary has them all
        if self._console.is_terminal:
            self._draw(progress)
        else:
            self._print(progress)

    def _draw(self, progress: "Progress") -> None:
        if self._bar is None:
            self._bar = self._bars.add_task("", note="")
        self._bars.update(
            self._bar,
            description=_title(progress),
            completed=progress.step,
            total=progress.steps or None,
            note=_note(progress),
        )

    def _print(self, progress: "Progress") -> None:
        place = (progress.phase, progress.task, progress.epoch if progress.phase == "learning" else 0)
        if place != self._place:
            self._place = place
            self._console.print(
                f"{_title(progress)}  {_note(progress)}".rstrip(), highlight=False, soft_wrap=True
            )


@contextmanager
def import_bars() -> Iterator[Callable[[str, int, int], None]]:
    """How far an import is: a bar for each of its phases, of which it tells `phase, done, count`."""
    known: dict[str, TaskID] = {}
    with bars(Console(stderr=True)) as shown:

        def tell(phase: str, done: int, count: int) -> None:
            if phase not in known:
                known[phase] = shown.add_task(phase, total=count)
            shown.update(known[phase], completed=done)

        yield tell


def _title(progress: "Progress") -> str:
    if not progress.tasks:
        return progress.phase
    where = f"task {progress.task + 1}/{progress.tasks}"
    if progress.phase == "learning":
        return f"{where} {_short(progress.name)}  epoch {progress.epoch + 1}/{progress.epochs}"
    return f"{where} {_short(progress.name)}  {progress.phase}"


def _short(name: str) -> str:
    return name if len(name) <= 28 else name[:27] + "…"


def _note(progress: "Progress") -> str:
    if progress.phase != "learning":
        return ""
    terms = "  ".join(f"{name} {value:.3f}" for name, value in progress.terms.items())
    left = f"  {_clock(progress.seconds_left)} left" if progress.seconds_left is not None else ""
    return f"{terms}  {progress.images_per_second:,.0f} images/s{left}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
