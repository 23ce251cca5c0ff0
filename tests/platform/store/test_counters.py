from concurrent.futures import ThreadPoolExecutor

import pytest

from holdfast.store import Store, counters
from holdfast.store.database import reading, writing


def test_numbers_have_no_gaps_and_a_failed_transaction_takes_none(store: Store) -> None:
    with writing(store.engine) as connection:
        assert counters.advance(connection, "entries", 3) == 3

    def take_and_fail() -> None:
        with writing(store.engine) as connection:
            counters.advance(connection, "entries", 5)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        take_and_fail()
    with writing(store.engine) as connection:
        counters.lock(connection, "entries")
        assert counters.advance(connection, "entries") == 4
        assert counters.advance(connection, "traffic") == 1
    with reading(store.engine) as connection:
        assert counters.current(connection, "entries") == 4


def test_threads_never_get_the_same_number(store: Store) -> None:
    def take(_: int) -> int:
        with writing(store.engine) as connection:
            return counters.advance(connection, "entries")

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(take, range(40))) == list(range(1, 41))
