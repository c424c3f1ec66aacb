"""Boards of their own: what is shown beside the others for comparison, and never ranked with them."""

from __future__ import annotations

from mibench.core.specs import Track
from mibench.leaderboard.text import plain
from mibench.records.record import RunRecord

CONTROL = "control"
NULLS = frozenset({"frozen-decoder", "identity", "mean-dictionary", "random-dictionary", "sae-pca"})
"""Methods of the SAE track that learn no dictionary: what dictionaries are compared with."""
_ARCHITECTURES = frozenset({"frozen-decoder", "identity", "pca"})
"""Architectures by which files of such dictionaries are known, whatever their name."""


def board_of(record: RunRecord) -> str | None:
    """Return the board that a record is on, where it is not ranked with the others; None: it is ranked."""
    if record.board is not None:
        return plain(record.board, 40)
    return CONTROL if record.cell.track is Track.SAE and _is_null(record) else None


def _is_null(record: RunRecord) -> bool:
    """Whether a dictionary is a null: by the built-in method that made it, or by what the file handed in is."""
    method = record.cell.method
    if method.artifact_digest is not None:
        return record.dictionary is not None and record.dictionary.architecture in _ARCHITECTURES
    return method.code_digest is None and method.name in NULLS
