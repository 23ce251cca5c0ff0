import threading
from collections.abc import Iterator

import pytest

from holdfast.data import ahead
from tests.fixtures.waiting import wait_until


def test_items_are_made_before_they_are_asked_for_and_no_more_than_that() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    running = ahead(items(), 3)
    assert next(running) == 0
    wait_until(lambda: len(made) == 4, 10, pause=0.01)
    assert next(running) == 1
    assert list(running) == list(range(2, 10))
    assert made == list(range(10))


def test_an_error_comes_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("the second")

    running = ahead(items(), 2)
    assert next(running) == 1
    with pytest.raises(ValueError, match="the second"):
        next(running)


def test_closing_it_ends_its_thread_and_closes_what_it_reads() -> None:
    closed: list[str] = []

    def items() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append(threading.current_thread().name)

    running = ahead(items(), 2)
    assert next(running) == 1
    running.close()
    assert closed == ["ahead"]
    assert "ahead" not in {thread.name for thread in threading.enumerate()}
