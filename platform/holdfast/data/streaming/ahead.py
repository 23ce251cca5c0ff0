"""Work that is done before it is asked for, by a thread of its own."""

import threading
from collections.abc import Generator, Iterator
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterator[T], depth: int) -> Generator[T]:
    """The same items; up to `depth` of them are made before they are asked for.

    What making one raises is raised in its place. Closing it ends the thread, and closes `items` in it.
    """
    made: SimpleQueue[tuple[bool, T | BaseException | None]] = SimpleQueue()
    slots, stopped = threading.Semaphore(depth), threading.Event()

    def work() -> None:
        try:
            while True:
                slots.acquire()
                if stopped.is_set():
                    return
                made.put((True, next(items)))
        except StopIteration:
            made.put((False, None))
        except BaseException as error:
            made.put((False, error))
        finally:
            if isinstance(items, Generator):
                items.close()

    worker = threading.Thread(target=work, daemon=True, name="ahead")
    worker.start()
    try:
        while True:
            is_item, item = made.get()
            if not is_item:
                if item is None:
                    return
                raise item  # type: ignore[misc]  # it is the error
            slots.release()
            yield item  # type: ignore[misc]  # it is no error
            # Not held for as long as the next one takes.
            del item
    finally:
        stopped.set()
        slots.release()
        worker.join()
