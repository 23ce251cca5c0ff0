"""`holdfast plan`: what a gallery of some size would take, before there is one."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.base import ConfigError, duration
from holdfast.cli.options import JsonOption
from holdfast.cli.printing import show, table

if TYPE_CHECKING:
    from pydantic import ValidationError

    from holdfast.capacity import Plan

_SPAN = re.compile(r"(\d+(?:\.\d+)?)([mhd])")
_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86_400.0}
_GIB = 2**30


def plan(
    entries: Annotated[float, typer.Option(help="Entries of the gallery, such as 1e9.")],
    dimension: Annotated[int, typer.Option(help="Of their vectors.")],
    queries_per_second: Annotated[float, typer.Option(help="At the busiest hour.")],
    upgrade_every: Annotated[str, typer.Option(help="Time between two versions: 30d, 12h.")],
    upgrade_within: Annotated[
        str, typer.Option(help="How long an upgrade may take; never longer than until the next one.")
    ] = "7d",
    recall: Annotated[
        float, typer.Option(help="Recall@10 against the exact answer that codes have to reach.")
    ] = 0.95,
    cores: Annotated[int, typer.Option(help="Processors of one machine, as the system counts them.")] = 32,
    machine_memory: Annotated[float, typer.Option(help="GiB of one machine.")] = 256.0,
    price_per_hour: Annotated[float, typer.Option(help="Of one machine, in any currency.")] = 2.0,
    disk_price: Annotated[float, typer.Option(help="Of a GiB of disk and month.")] = 0.08,
    images_per_second: Annotated[
        float | None,
        typer.Option(help="That one machine embeds by your model. Default: a ViT-B/16 on processors."),
    ] = None,
    embedding_price_per_hour: Annotated[
        float | None, typer.Option(help="Of a machine that embeds. Default: --price-per-hour.")
    ] = None,
    image_bytes: Annotated[int, typer.Option(help="Of one image file.")] = 100_000,
    attribute_bytes: Annotated[int, typer.Option(help="Of one entry's attributes, as JSON.")] = 40,
    candidates: Annotated[int, typer.Option(help="Whose images a cascade embeds for a query.")] = 50,
    touched: Annotated[
        float | None,
        typer.Option(
            help="Share of the entries that queries recall between two upgrades. Default: as if each were "
            "recalled as often as any other, which is the most."
        ),
    ] = None,
    milvus_segment: Annotated[
        float | None, typer.Option(help="GiB of a segment in Milvus. Default: 1, as Milvus has it.")
    ] = None,
    constants: Annotated[
        Path | None,
        typer.Option(help="JSON of what was measured on your machine. Default: what came with Holdfast."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a gallery takes: memory, disks, machines, hours and money, for each index and way to upgrade.

    Nothing is opened and nothing is measured: it follows from the sizes of what Holdfast writes and from
    constants that a benchmark measured once, each of which --json names with its source.

    Example: [bold]holdfast plan --entries 1e9 --dimension 512 --queries-per-second 200 --upgrade-every 30d[/]
    """
    from pydantic import ValidationError

    from holdfast.capacity import Demand, Machine, load_constants, make_plan

    try:
        demand = Demand(
            entries=_whole(entries),
            dimension=dimension,
            queries_per_second=queries_per_second,
            upgrade_every=_seconds("--upgrade-every", upgrade_every),
            upgrade_within=_seconds("--upgrade-within", upgrade_within),
            recall=recall,
            attribute_bytes=attribute_bytes,
            image_bytes=image_bytes,
            candidates=candidates,
            touched=touched,
            segment=None if milvus_segment is None else milvus_segment * _GIB,
        )
        machine = Machine(
            cores=cores,
            memory=machine_memory * _GIB,
            price=price_per_hour,
            disk_price=disk_price,
            images_per_second=images_per_second,
            embedding_price=embedding_price_per_hour,
        )
    except ValidationError as error:
        raise ConfigError(_first(error)) from error
    made = make_plan(demand, machine, load_constants(constants))
    show(as_json, made.as_dict(), *_said(made))


def _whole(entries: float) -> int:
    if not entries < 1e15:
        raise ConfigError(f"--entries {entries} is too much: at most 1e12.")
    return round(entries)


def _seconds(option: str, text: str) -> float:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ConfigError(f"{option} {text!r} is no time: write 30d, 12h or 90m.")
    return float(found[1]) * _SECONDS[found[2]]


def _first(error: "ValidationError") -> str:
    """The first mistake, by the option that holds it."""
    found = error.errors()[0]
    name = str(found["loc"][0])
    options = {
        "memory": "machine-memory",
        "segment": "milvus-segment",
        "price": "price-per-hour",
        "embedding_price": "embedding-price-per-hour",
    }
    option = options.get(name, name.replace("_", "-"))
    return f"--{option}: {found['msg'][:1].lower()}{found['msg'][1:]}."


def _said(made: "Plan") -> list[Any]:
    demand, machine = made.demand, made.machine
    cascade = next(way for way in made.upgrades if way.way == "cascade")
    return [
        f"{demand.entries:,} entries of {demand.dimension} dimensions, {demand.queries_per_second:,.0f} "
        f"queries a second, on machines of {machine.cores} cores and {machine.memory / _GIB:,.0f} GiB:",
        _indexes(made),
        *[f"{each.kind}: {remark}." for each in made.indexes for remark in each.remarks],
        f"Database: {made.database.kind}, {_bytes(made.database.disk)}, filled in "
        f"{_time(made.database.filling)} by one process, {made.database_price:,.0f} a month. Embedding "
        f"the queries, if they are images: {made.embedding_machines:,} machines, "
        f"{made.embedding_price:,.0f} a month.",
        _upgrades(made),
        *[f"{way.way}: needs {way.needs}." for way in made.upgrades],
        f"A cascade begins with {cascade.images_per_second:,.0f} images a second that queries want embedded; "
        "what cannot be done in time is ranked by the adapter.",
        f"In all: the {made.chosen or ''} index, the database, embedding the queries and the upgrades of a "
        "month. Machines are kept at 70 % of their cores and 80 % of their memory.",
        f"Constants of {made.constants.machine}.",
    ]


def _indexes(made: "Plan") -> Any:
    shown = table("index", "recall", "memory", "disk", "search", "machines", "for", "built", "month")
    for each in made.indexes:
        cells = [
            each.kind,
            f"{each.recall:.2f}",
            _bytes(each.memory),
            _bytes(each.disk),
            _time(each.search_core_seconds),
            "none" if each.machines is None else f"{each.machines:,}",
            each.bound_by,
            _time(3600 * each.building_hours),
            "-" if each.price is None else _short(each.price),
        ]
        shown.add_row(*cells, style="bold" if each.kind == made.chosen else None)
    return _narrow(shown)


def _upgrades(made: "Plan") -> Any:
    shown = table("upgrade", "entries", "images", "machines", "done in", "each", "month", "in all")
    for way in made.upgrades:
        shown.add_row(
            way.way,
            _short(way.entries),
            _short(way.images),
            f"{way.machines:,}",
            _time(3600 * way.hours) if way.machines else "-",
            _short(way.price),
            _short(way.price_a_month),
            _short(made.totals[way.way]) if made.totals else "-",
        )
    return _narrow(shown)


def _narrow(shown: Any) -> Any:
    for column in shown.columns:
        column.no_wrap = True
    shown.padding, shown.pad_edge = (0, 1, 0, 0), False
    return shown


def _bytes(count: float) -> str:
    for unit, size in (("TiB", 2**40), ("GiB", 2**30)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count / 2**20:,.0f} MiB"


def _short(count: float) -> str:
    """A number in a table: three digits and a unit."""
    for unit, size in (("bn", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:,.3g} {unit}"
    return f"{count:,.0f}"


def _time(seconds: float) -> str:
    return duration(seconds) if seconds >= 1 else f"{1000 * seconds:,.3g} ms"
