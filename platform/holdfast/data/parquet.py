"""Images in Parquet files: one file, or a folder of them, local or on any pyarrow filesystem."""

import hashlib
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pds
from pyarrow import fs

from holdfast.data.files import locate
from holdfast.data.table import conform, unknown_split
from holdfast.errors import DataError


@dataclass(frozen=True)
class ParquetSource:
    """Rows in file order; the files of a folder in the order of their names."""

    uri: str
    path: str

    def read(self, split: str | None = None) -> pa.Table:
        dataset = self._dataset()
        where = f"Source {self.uri!r}"
        chosen = split is not None and "split" in dataset.schema.names
        table = self._scan(dataset, pc.equal(pc.field("split").cast(pa.string()), split) if chosen else None)
        if table.num_rows == 0:
            if chosen and dataset.count_rows():
                there = dataset.to_table(columns=["split"]).column("split").cast(pa.string()).unique()
                raise unknown_split(str(split), [name for name in there.to_pylist() if name], where)
            raise DataError(f"{where} is empty: it has no rows.")
        return conform(table, where)

    def fingerprint(self) -> str:
        digest = hashlib.sha256()
        for info in self._files():
            digest.update(f"{info.path}\0{info.size}\0{info.mtime_ns}\n".encode())
        return digest.hexdigest()

    def _scan(self, dataset: pds.Dataset, condition: pc.Expression | None) -> pa.Table:
        try:
            return dataset.to_table(filter=condition)
        except (OSError, pa.ArrowException) as error:
            raise self._damaged(error) from error

    def _dataset(self) -> pds.Dataset:
        filesystem, _ = locate(self.path)
        try:
            return pds.dataset([info.path for info in self._files()], filesystem=filesystem, format="parquet")
        except (OSError, pa.ArrowException) as error:
            raise self._damaged(error) from error

    def _files(self) -> list[fs.FileInfo]:
        filesystem, inside = locate(self.path)
        try:
            info = filesystem.get_file_info(inside)
            if info.type == fs.FileType.File:
                return [info]
            if info.type == fs.FileType.Directory:
                listed = filesystem.get_file_info(fs.FileSelector(inside, recursive=True))
                files = sorted(
                    (one for one in listed if one.path.endswith(".parquet")), key=lambda one: one.path
                )
                if files:
                    return files
                raise DataError(f"The folder of source {self.uri!r} ({self.path}) holds no *.parquet file.")
        except OSError as error:
            raise self._damaged(error) from error
        raise DataError(f"Source {self.uri!r} does not exist: there is no file or folder {self.path}.")

    def _damaged(self, error: Exception) -> DataError:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        return DataError(f"Source {self.uri!r} cannot be read as Parquet: {reason}.")
