"""An index beside a dict that follows the same writes."""

import json
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from holdfast.filters import parse_filter
from holdfast.testing.index_rows import Opened, Row, changes, contents

NAMES = ["a", 'b"', "c'\\", "d\n\té", "id in [", "f" * 512]


class Machine(RuleBasedStateMachine):
    """An index and a dict follow the same writes."""

    opened: Opened
    rows: np.ndarray

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[str, tuple[str, int, dict[str, Any]]] = {}
        self.seq = 0

    @initialize()
    def begin(self) -> None:
        self.index = self.opened.reopen()
        self.index.clear()

    @rule(
        batch=st.dictionaries(
            st.sampled_from(NAMES),
            st.none()
            | st.tuples(
                st.sampled_from(["v1", "v2", "v10"]),
                st.integers(0, 15),
                st.fixed_dictionaries({}, optional={"color": st.sampled_from(["red", True, 1])}),
            ),
            min_size=1,
            max_size=4,
        )
    )
    def apply(self, batch: dict[str, tuple[str, int, dict[str, Any]] | None]) -> None:
        written: list[Row] = []
        for name, entry in batch.items():
            if entry is None:
                version = self.model.pop(name)[0] if name in self.model else "v1"
                written.append((name, version, None, {}))
            else:
                self.model[name] = entry
                written.append((name, entry[0], self.rows[entry[1]], entry[2]))
        self.index.apply(changes(written, self.seq))
        self.seq += len(written)

    @rule(
        query=st.integers(0, 15),
        k=st.integers(1, 8),
        versions=st.lists(st.sampled_from(["v1", "v2", "v3", "v10"]), unique=True),
        color=st.sampled_from([None, "red", True, 1]),
    )
    def search(self, query: int, k: int, versions: list[str], color: Any) -> None:
        raw = None if color is None else {"color": color}
        found = self.index.search(self.rows[query], k, versions, parse_filter(raw))
        scores = {
            name: float(self.rows[row] @ self.rows[query])
            for name, (version, row, attributes) in self.model.items()
            if version in versions
            and (
                color is None
                or (color, type(color)) == (attributes.get("color"), type(attributes.get("color")))
            )
        }
        assert len(found) == len({hit.id for hit in found}) == min(k, len(scores))
        for hit in found:
            version, _, attributes = self.model[hit.id]
            assert (hit.embedded_by, hit.attributes) == (version, attributes)
            assert np.isclose(hit.score, scores[hit.id], atol=1e-5)
        best = sorted(scores.values(), reverse=True)[:k]
        assert np.allclose([hit.score for hit in found], best, atol=1e-5)

    @rule()
    def reopen(self) -> None:
        if self.index.capabilities.durable:
            self.index = self.opened.reopen()

    @invariant()
    def holds_what_was_written(self) -> None:
        if not hasattr(self, "index"):
            return
        assert self.index.applied == self.seq
        held = [version for version, _, _ in self.model.values()]
        counts = {name: held.count(name) for name in ("v1", "v2", "v10") if name in held}
        assert self.index.count() == counts
        assert self.index.versions() == list(counts)

    def teardown(self) -> None:
        if not hasattr(self, "index"):
            return
        found = contents(self.index)
        expected = {(version, name) for name, (version, _, _) in self.model.items()}
        assert found.keys() == expected
        for (_, name), (vector, attributes) in found.items():
            row = self.rows[self.model[name][1]]
            if self.index.capabilities.keeps_vectors:
                assert vector == row.tobytes()
            assert np.allclose(np.frombuffer(vector, "<f4"), row, atol=1e-3)
            assert json.loads(attributes) == self.model[name][2]
