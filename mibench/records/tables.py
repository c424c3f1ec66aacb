"""Data frames to parquet bytes and back; equal frames give equal bytes under one pyarrow version."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection
from typing import TYPE_CHECKING

from mibench.core.errors import StoreError
from mibench.records.record import TableRef

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


_LEVEL = 19
"""Of zstd: a table is written once, and kept for years."""


def table_bytes(frame: pd.DataFrame, *, name: str) -> bytes:
    """Return ``frame`` as zstd parquet, without its index and without statistics of its columns.

    Columns whose values repeat are written as a dictionary; of floats that do not, equal bytes are put together.

    Raises:
        StoreError: A column holds what parquet cannot.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
        split = [column for column in table.column_names if _varies(table[column])]
        pq.write_table(
            # The metadata names the pandas version, which would change the bytes.
            table.replace_schema_metadata(None),
            buffer,
            compression="zstd",
            compression_level=_LEVEL,
            use_dictionary=[column for column in table.column_names if column not in split],
            use_byte_stream_split=split,
            write_statistics=False,
            store_schema=False,
        )
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise StoreError(
            f"The table '{name}' cannot be stored.",
            why=str(error),
            do="Give every column one type (numbers, text or booleans) and a name of its own.",
        ) from error
    return buffer.getvalue()


def _varies(column: pa.ChunkedArray) -> bool:
    """Whether a column holds floats of which most are different."""
    import pyarrow as pa

    return bool(pa.types.is_floating(column.type)) and len(column.unique()) > len(column) // 4


def read_table(
    content: bytes, ref: TableRef, columns: Collection[str] | None = None, categories: Collection[str] = ()
) -> pd.DataFrame:
    """Return the frame that ``content`` holds, after checking it against ``ref``.

    Args:
        content: Bytes of the table.
        ref: How its record refers to it.
        columns: Those to read, as far as it has them; None: all.
        categories: Columns of texts to give as categories, which takes less time.

    Raises:
        StoreError: The bytes are not those of ``ref``, or not parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if hashlib.sha256(content).hexdigest() != ref.sha256:
        raise _damaged(ref, "Its sha256 is not the one in the record.")
    try:
        file = pq.ParquetFile(pa.BufferReader(content), read_dictionary=list(categories))
        if file.metadata.num_rows != ref.rows:
            raise _damaged(ref, f"It has {file.metadata.num_rows} rows; the record says {ref.rows}.")
        wanted = None if columns is None else [name for name in file.schema_arrow.names if name in columns]
        frame: pd.DataFrame = file.read(wanted, use_threads=False).to_pandas(use_threads=False)
    except (pa.ArrowException, ValueError, OSError) as error:
        raise _damaged(ref, str(error)) from error
    return frame


def _damaged(ref: TableRef, why: str) -> StoreError:
    return StoreError(f"The table {ref.file} cannot be used.", why=why, do="Fetch it again, or run its cell again.")
