"""How an answer looks: one JSON document for machines, else sentences and tables for people."""

import json
import sys
from datetime import datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table


def show(as_json: bool, content: Any, *said: str | Table) -> None:
    """What was asked for, on standard output."""
    _answer(Console(), as_json, content, said)


def tell(as_json: bool, content: Any, *said: str | Table) -> None:
    """What was done: the document on standard output, what people read on standard error."""
    _answer(Console(stderr=True), as_json, content, said)


def note(*said: str | Table) -> None:
    """What is said on standard error, whoever asked."""
    _print(Console(stderr=True), said)


def write_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, indent=1, default=_plain) + "\n")


def _plain(value: object) -> str:
    """What JSON has no word for; moments as HTTP writes them."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def table(*columns: str) -> Table:
    """An empty table, in the one style."""
    return Table(*columns, box=SIMPLE_HEAD)


def _answer(console: Console, as_json: bool, content: Any, said: tuple[str | Table, ...]) -> None:
    if as_json:
        write_json(content)
    else:
        _print(console, said)


def _print(console: Console, said: tuple[str | Table, ...]) -> None:
    for each in said:
        if isinstance(each, str):
            # Whoever pipes a sentence, or copies a path out of it, wants it whole.
            console.print(each, soft_wrap=True, markup=False, highlight=False)
        else:
            console.print(each)
