"""The rows that a cell is scored on: those that the model solves without an intervention, and why others are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mibench.core.errors import DataError
from mibench.core.hashing import digest
from mibench.engine.interchange.interchanges import base_plain, source_plain
from mibench.engine.interchange.options import InterchangeOptions
from mibench.engine.model import LanguageModel
from mibench.tasks.interchange import EncodedInterchange

LeftOut = Mapping[tuple[str, str], int]


@dataclass(frozen=True)
class SolvedRows:
    """Rows after the filter.

    Attributes:
        rows: Those of which the model answers base and source right.
        attrition: One row a counterfactual set and reason: ``set``, ``reason``, ``rows``; ``kept`` is a reason too.
        digest: Digest of names and sets of the rows.
    """

    rows: tuple[EncodedInterchange, ...]
    attrition: pd.DataFrame
    digest: str


def solved(
    model: LanguageModel, rows: Sequence[EncodedInterchange], options: InterchangeOptions, left_out: LeftOut
) -> SolvedRows:
    """Keep the rows that the model solves.

    Args:
        model: The model.
        rows: The rows.
        options: How they are run and judged.
        left_out: How many were left out before, by set and reason.

    Raises:
        DataError: No row is left.
    """
    base, source = base_plain(model, rows, options), source_plain(model, rows, options)
    why = np.where(~base, "base wrong", np.where(~source, "source wrong", "kept")).tolist()
    kept = tuple(row for row, reason in zip(rows, why, strict=True) if reason == "kept")
    counts = Counter(left_out) + Counter((row.set, reason) for row, reason in zip(rows, why, strict=True))
    table = [{"set": name, "reason": reason, "rows": n} for (name, reason), n in sorted(counts.items())]
    if not kept:
        raise DataError(
            "The model solves none of these rows.",
            why="; ".join(f"{one['set']}: {one['reason']} ({one['rows']})" for one in table),
            do="Use another task or model, or a higher --limit.",
        )
    return SolvedRows(kept, pd.DataFrame(table), digest([[row.set, row.id] for row in kept]))
