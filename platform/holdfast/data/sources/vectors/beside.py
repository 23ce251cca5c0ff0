"""The rows that belong to an array of vectors alone: a table, or the labels as an array or as lines."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv, feather, parquet

from holdfast.base import DataError
from holdfast.data.sources.files import locate

LABEL = "label"


def read_rows(path: str, where: str) -> pa.Table:
    """A row for each vector, in their order: .csv, .tsv, .parquet, .arrow or .feather; the labels alone as
    .npy or .txt.

    Raises DataError, naming the source as `where` does.
    """
    filesystem, inside = locate(path)
    try:
        with filesystem.open_input_stream(inside) as stream:
            data = stream.read()
        return _parse(Path(path).suffix.lower(), data, path)
    except FileNotFoundError as error:
        raise DataError(f"{where}: there is no file {path} of the rows of the vectors.") from error
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = (str(error).splitlines() or [""])[0].rstrip(".")
        raise DataError(f"{where}: the rows in {path} cannot be read: {reason}.") from error


def _parse(suffix: str, data: bytes, path: str) -> pa.Table:
    file = pa.BufferReader(data)
    match suffix:
        case ".parquet" | ".pq" | ".parq":
            return parquet.read_table(file)
        case ".arrow" | ".feather" | ".ipc":
            return feather.read_table(file)
        case ".csv" | ".tsv":
            delimiter = "\t" if suffix == ".tsv" else ","
            return csv.read_csv(file, parse_options=csv.ParseOptions(delimiter=delimiter))
        case ".txt":
            return pa.table({LABEL: pa.array(str(data, "utf-8-sig").splitlines(), pa.string())})
        case ".npy":
            array = np.load(io.BytesIO(data), allow_pickle=False)
            if array.ndim != 1 or array.dtype.kind not in "iuUS":
                raise ValueError(f"labels are a row of texts or integers, not {array.shape} of {array.dtype}")
            return pa.table({LABEL: array.astype(str) if array.dtype.kind == "S" else array})
    raise ValueError("name a .csv, .tsv, .parquet, .arrow, .npy or .txt file")
