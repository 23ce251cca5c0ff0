"""Check what is kept of an index beside the database, as it lies there: nothing is built or removed."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

from holdfast.base import StoreError
from holdfast.entries import Entries, Problems, VerifyReport
from holdfast.index import Index, IndexConfig, IndexSettings, LocalIndex, Snapshots, open_index
from holdfast.search.verify import verify_index
from holdfast.store import Store


def verify_store(store: Store, config: IndexSettings) -> VerifyReport:
    """Check every entry, and the snapshots or what this index keeps elsewhere against the database.

    Raises:
        ConfigError: a package is missing. StoreError: what holds the vectors cannot be reached.
    """
    entries = Entries(store)
    kept = Problems()
    check = (
        _snapshots(store, entries, kept)
        if isinstance(config, IndexConfig)
        else _elsewhere(store, entries, config, kept)
    )
    remarks = list(check)
    report = entries.verify().joined(kept)
    return replace(report, remarks=remarks)


def _snapshots(store: Store, entries: Entries, problems: Problems) -> Iterator[str]:
    snapshots = Snapshots(store.index_folder, store)
    believed = snapshots.believed()
    for mark in believed:
        path = snapshots.path(mark)
        index = LocalIndex(folder=store.index_folder)
        try:
            index.load_this(mark, snapshots)
        except (StoreError, OSError, RuntimeError, ValueError, KeyError) as error:
            problems.add(f"{path} cannot be used: {error}")
            continue
        _compare(entries, index, f"The snapshot {path}", problems)
        yield f"The snapshot {path} was compared; it is of write {mark.seq:,}."
    if not believed:
        yield "There is no snapshot of this database: an index is built from the entries."
    for mark in snapshots.foreign():
        yield f"{snapshots.path(mark)} is of another database or history, and is not used: it may be deleted."


def _elsewhere(store: Store, entries: Entries, config: IndexSettings, problems: Problems) -> Iterator[str]:
    with closing(open_index(store, config.searching())) as index:
        where = str(config)
        if not index.capabilities.durable:
            yield f"{where} is built from the entries: nothing is kept of it."
        elif not index.applied:
            yield f"{where} holds no entries of this gallery yet."
        elif index.mark is None or not store.history.known([index.mark]):
            problems.add(f"{where} holds write {index.applied} of another database or history.")
        else:
            _compare(entries, index, where, problems)
            yield f"{where} was compared; it is at write {index.applied:,}."


def _compare(entries: Entries, index: Index, where: str, problems: Problems) -> None:
    found = verify_index(entries.all_changes(), index, index.applied)
    problems.count += found.count
    problems.shown += [f"{where}: {problem}" for problem in found.shown]
