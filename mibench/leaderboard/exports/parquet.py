"""The CSV table as zstd parquet: the same columns with their types."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mibench.leaderboard.tables import flat_rows
from mibench.leaderboard.view import GroupView

if TYPE_CHECKING:
    import pyarrow as pa


def parquet_table(groups: Sequence[GroupView]) -> bytes:
    """Return one line a row; equal tables give equal bytes under one pyarrow version."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    lines = flat_rows(groups)
    names = dict.fromkeys(name for line in lines for name in line)
    columns = {name: _column([line.get(name) for line in lines]) for name in names}
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream, compression="zstd", store_schema=False)
    return stream.getvalue()


def _column(values: list[Any]) -> pa.Array:
    """Numbers, truths or texts; a column that mixes them is text."""
    import pyarrow as pa

    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} and float in kinds:
        return pa.array(values, pa.float64())
    if len(kinds) > 1:
        return pa.array([None if value is None else str(value) for value in values], pa.string())
    return pa.array(values) if kinds else pa.array(values, pa.string())
