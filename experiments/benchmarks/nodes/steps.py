"""The steps of the story: how long each took, what it measured, and whether what was asked of it held."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

WRITTEN = "nodes.json"


@dataclass
class Step:
    """One step. `checks` are claims, and whether they held."""

    name: str
    seconds: float = 0.0
    figures: dict[str, Any] = field(default_factory=dict)
    checks: dict[str, bool] = field(default_factory=dict)

    def note(self, **figures: Any) -> None:
        self.figures.update(figures)

    def check(self, claim: str, held: bool) -> None:
        self.checks[claim] = bool(held)

    @property
    def is_good(self) -> bool:
        return all(self.checks.values())


class Steps:
    """All of them, written to `folder` whenever one has ended, whether well or not."""

    def __init__(self, folder: Path, context: dict[str, Any], console: Console) -> None:
        self._file, self._context, self._console = folder / WRITTEN, context, console
        self.done: list[Step] = []
        folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """A step that is measured. What it raises is written down, and goes on."""
        self._console.print(f"[bold]{name}[/]")
        found, begun = Step(name), time.monotonic()
        try:
            yield found
        except BaseException as error:
            found.check(f"{type(error).__name__}: {str(error).strip()[-1000:]}", False)
            raise
        finally:
            found.seconds = round(time.monotonic() - begun, 1)
            self.done.append(found)
            self._write()
            self._show(found)

    @property
    def are_good(self) -> bool:
        return all(step.is_good for step in self.done)

    def as_dict(self) -> dict[str, Any]:
        return {"context": self._context, "steps": [asdict(step) for step in self.done]}

    def table(self) -> Table:
        shown = Table(title="Machines that share no file", title_justify="left")
        shown.add_column("step")
        shown.add_column("seconds", justify="right")
        shown.add_column("figures")
        shown.add_column("held")
        for step in self.done:
            figures = "\n".join(f"{name.replace('_', ' ')}: {value}" for name, value in step.figures.items())
            held = "yes" if step.is_good else "NO"
            shown.add_row(step.name, f"{step.seconds:.1f}", figures, held)
        return shown

    def _show(self, step: Step) -> None:
        for claim, held in step.checks.items():
            self._console.print(f"  {'held' if held else 'NOT HELD'}: {claim}", markup=False, soft_wrap=True)
        self._console.print(f"  {step.seconds:.0f} s")

    def _write(self) -> None:
        partial = self._file.with_suffix(".partial")
        partial.write_text(json.dumps(self.as_dict(), indent=1, default=str))
        partial.replace(self._file)
