from concurrent.futures import ThreadPoolExecutor

import pytest

from holdfast.store import Store
from holdfast.store.database.counters import advance_counter, current_counter, lock_counter
from holdfast.store.database.engine import reading, writing


def test_numbers_have_no_gaps_and_a_failed_transaction_takes_none(store: Store) -> None:
    with writing(store.engine) as connection:
        assert advance_counter(connection, "entries", 3) == 3

    def take_and_fail() -> None:
        with writing(store.engine) as connection:
            advance_counter(connection, "entries", 5)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        take_and_fail()
    with writing(store.engine) as connection:
        lock_counter(connection, "entries")
        assert advance_counter(connection, "entries") == 4
        assert advance_counter(connection, "traffic") == 1
    with reading(store.engine) as connection:
        assert current_counter(connection, "entries") == 4


def test_threads_never_get_the_same_number(store: Store) -> None:
    def take(_: int) -> int:
        with writing(store.engine) as connection:
            return advance_counter(connection, "entries")

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(take, range(40))) == list(range(1, 41))
