"""Vectors as an answer in the form that the client wants: JSON, an Arrow stream, or a NumPy array."""

import io
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from fastapi import Request, Response

from holdfast.base import HoldfastError
from holdfast_serving.http.bodies.encodings import Encoding, encode

ARROW = "application/vnd.apache.arrow.stream"
NPY = "application/x-npy"
Form = Literal["json", "arrow", "npy"]
_FORMS: dict[str, Form] = {ARROW: "arrow", NPY: "npy"}


def form_of(request: Request) -> Form:
    """By `Accept`: the first of its types that is a form here; JSON if none is."""
    accepted = request.headers.get("accept", "*/*")
    if accepted == "*/*":
        return "json"
    for each in accepted.lower().split(","):
        media = each.partition(";")[0].strip()
        if media in _FORMS:
            return _FORMS[media]
        if media in ("application/json", "application/*", "*/*"):
            return "json"
    return "json"


def as_array(vectors: np.ndarray, encoding: Encoding, headers: Mapping[str, str]) -> Response:
    """`.npy`: (n, d), in the type of the encoding."""
    buffer = io.BytesIO()
    np.save(buffer, encode(vectors, encoding), allow_pickle=False)
    return Response(buffer.getvalue(), headers=dict(headers), media_type=NPY)


def as_table(
    vectors: np.ndarray,
    indices: Sequence[int],
    encoding: Encoding,
    version: str,
    headers: Mapping[str, str],
) -> Response:
    """An Arrow IPC stream with the columns `index` (int32) and `embedding` (a list of fixed size); the
    metadata of its schema names the version and the encoding."""
    import pyarrow as pa

    encoded = encode(vectors, encoding)
    rows = pa.FixedSizeListArray.from_arrays(pa.array(encoded.reshape(-1)), encoded.shape[1])
    schema = pa.schema(
        [("index", pa.int32()), ("embedding", rows.type)],
        metadata={"version": version, "encoding": "float" if encoding == "base64" else encoding},
    )
    table = pa.table([pa.array(indices, pa.int32()), rows], schema=schema)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema) as stream:
        stream.write_table(table)
    return Response(sink.getvalue(), headers=dict(headers), media_type=ARROW)


def check_form(form: Form, on_error: str) -> None:
    """Raises HoldfastError for an array of which some rows are to be left out: it could not say which."""
    if form != "json" and on_error == "skip":
        raise HoldfastError(
            "on_error: an array or a table cannot say what was left out and why; ask for JSON, or for `fail`."
        )
