"""A stream of entries, written in as many requests as it takes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from holdfast_serving.client.answers import Failure, WrittenAnswer
from holdfast_serving.client.calls import Call
from holdfast_serving.client.errors import ApiError, TooLargeError
from holdfast_serving.client.inputs import to_json
from holdfast_serving.client.plans import IMAGES, VECTORS, Plan, moved
from holdfast_serving.client.requests import EntryBody

BYTES = 16 * 1024 * 1024
"""Of the entries of one request. A server takes twice as many by default; one that takes less says so."""
OnError: TypeAlias = Literal["fail", "skip"]
Progress: TypeAlias = Callable[[int], None]
"""Called with how many entries are written."""


@dataclass
class Written:
    """What a stream came to.

    Attributes:
        entries: how many are written.
        seq: of the last write; search with it as `min_seq` to find what was written.
        null_attributes: by key, how often one was null, which is as if it were not there.
        errors: what was to be skipped and is not written, by its place in the stream.
    """

    entries: int = 0
    seq: int = 0
    null_attributes: dict[str, int] = field(default_factory=dict)
    errors: list[Failure] = field(default_factory=list)


class Upserts:
    """A stream that is being written: `take` its entries, `write` each batch that comes of it and the `rest`.

    Attributes:
        written: what it came to so far.
    """

    def __init__(self, progress: Progress | None = None, on_error: OnError = "fail") -> None:
        self.written = Written()
        self._progress = progress
        self._end = b"]}" if on_error == "fail" else b'],"on_error":"skip"}'
        self._most = VECTORS
        self._batch: list[bytes] = []
        self._images = self._bytes = 0

    def all(self, entries: Iterable[EntryBody]) -> Plan[Written]:
        """The whole stream, where it need not be awaited."""
        for entry in entries:
            if batch := self.take(entry):
                yield from self.write(batch)
        yield from self.write(self.rest())
        return self.written

    def take(self, entry: EntryBody) -> list[bytes]:
        """The batch before this entry, if it has no place in it; empty while it has."""
        part, images = to_json(entry), int(entry.get("vector") is None)
        full = (
            len(self._batch) >= self._most
            or self._images + images > IMAGES
            or self._bytes + len(part) > BYTES
        )
        batch = self.rest() if full else []
        self._batch.append(part)
        self._images += images
        self._bytes += len(part)
        return batch

    def rest(self) -> list[bytes]:
        """What was taken and is in no batch yet."""
        batch, self._batch = self._batch, []
        self._images = self._bytes = 0
        return batch

    def write(self, batch: list[bytes]) -> Plan[None]:
        """One batch; in halves, where the server takes no more, and so from then on.

        An error carries a note that says how many entries were written before it.
        """
        waiting = [batch] if batch else []
        while waiting:
            parts = waiting.pop()
            body = b'{"entries":[' + b",".join(parts) + self._end
            try:
                answer = yield Call("PUT", "/v1/gallery/entries", WrittenAnswer, body, repeatable=True)
            except TooLargeError as error:
                half = self._most = len(parts) // 2
                if not half:
                    raise self._noted(error) from error.__cause__
                waiting += [parts[half:], parts[:half]]
            except ApiError as error:
                raise self._noted(error) from error.__cause__
            else:
                self._count(answer, len(parts))

    def _count(self, answer: WrittenAnswer, entries: int) -> None:
        failed = answer.errors or []
        before = self.written.entries + len(self.written.errors)
        self.written.errors += [moved(each, before) for each in failed]
        self.written.entries += entries - len(failed)
        self.written.seq = answer.seq
        for key, count in (answer.null_attributes or {}).items():
            self.written.null_attributes[key] = self.written.null_attributes.get(key, 0) + count
        if self._progress is not None:
            self._progress(self.written.entries)

    def _noted(self, error: ApiError) -> ApiError:
        error.add_note(f"The {self.written.entries:,} entries before these are written.")
        return error
