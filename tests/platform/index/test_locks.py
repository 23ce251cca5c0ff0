import threading
import time

from holdfast.index.locks import ReadWriteLock


def test_readers_share_and_a_writer_is_alone() -> None:
    lock = ReadWriteLock()
    inside = {"readers": 0, "writers": 0, "most": 0}
    guard = threading.Lock()
    problems: list[str] = []

    def enter(kind: str, change: int) -> None:
        with guard:
            inside[kind] += change
            inside["most"] = max(inside["most"], inside["readers"])
            if inside["writers"] > 1 or (inside["writers"] and inside["readers"]):
                problems.append(str(inside))

    def work(kind: str) -> None:
        for _ in range(50):
            with lock.reading() if kind == "readers" else lock.writing():
                enter(kind, 1)
                time.sleep(0.0002)
                enter(kind, -1)

    threads = [threading.Thread(target=work, args=(kind,)) for kind in ["readers"] * 4 + ["writers"] * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert problems == []
    assert inside["most"] > 1


def test_a_waiting_writer_goes_before_new_readers() -> None:
    lock = ReadWriteLock()
    order: list[str] = []

    def write() -> None:
        with lock.writing():
            order.append("writer")

    def read() -> None:
        with lock.reading():
            order.append("reader")

    with lock.reading():
        writer = threading.Thread(target=write)
        writer.start()
        while not lock._waiting:
            time.sleep(0.001)
        reader = threading.Thread(target=read)
        reader.start()
        time.sleep(0.05)
        assert order == []
    writer.join(10)
    reader.join(10)
    assert order == ["writer", "reader"]


def test_an_error_inside_releases_the_lock() -> None:
    lock = ReadWriteLock()
    for hold in (lock.reading, lock.writing, lock.unchanged):
        try:
            with hold():
                raise RuntimeError
        except RuntimeError:
            pass
    with lock.writing():
        pass
    with lock.reading():
        pass


def test_who_keeps_it_unchanged_holds_up_writers_and_no_reader() -> None:
    lock = ReadWriteLock()
    order: list[str] = []

    def write() -> None:
        with lock.writing():
            order.append("writer")

    def keep() -> None:
        with lock.unchanged():
            order.append("keeper")

    with lock.unchanged():
        writer = threading.Thread(target=write)
        writer.start()
        while not lock._pending:
            time.sleep(0.001)
        with lock.reading():
            order.append("reader")
        # Nor do others who keep it hold up a writer for ever.
        keeper = threading.Thread(target=keep)
        keeper.start()
        time.sleep(0.05)
        assert order == ["reader"]
    writer.join(10)
    keeper.join(10)
    assert sorted(order) == ["keeper", "reader", "writer"]
    assert order[1] == "writer"
