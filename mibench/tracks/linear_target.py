"""The linear target of IOI, fitted here and never taken from a submission (Mueller et al. 2025, section on IOI).

The logit difference after swapping chosen heads whole, at all positions, is regressed on the signals of the
variables in the source; the plain run counts as the source that is the base itself, with all signals +1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from mibench.core.errors import DataError
from mibench.core.sites import Site
from mibench.engine.interchange.interchanges import Interchanges
from mibench.engine.interchange.options import SiteEdit
from mibench.tasks.interchange import EncodedInterchange


@dataclass(frozen=True)
class LinearFit:
    """A fitted linear target.

    Attributes:
        coefficients: Constant, then one slope a signal, in logits.
        r_squared: Share of the variance that it explains on the rows that it was fitted on.
        n: Number of rows.
    """

    coefficients: tuple[float, ...]
    r_squared: float
    n: int


def whole(base: Tensor, source: Tensor) -> Tensor:  # noqa: ARG001 - an edit sees both
    """Take everything from the source."""
    return source


def fit_linear(found: Interchanges, rows: Sequence[EncodedInterchange], sites: Sequence[Site]) -> LinearFit:
    """Fit constant and slopes by least squares.

    Args:
        found: Training rows, ready to run.
        rows: The same rows.
        sites: The heads that are swapped together.

    Raises:
        DataError: The signals do not vary, or a row has no linear target.
    """
    swapped = found.run([tuple(SiteEdit(site, whole) for site in sites)]).contrast[0]
    plain = found.plain().contrast[0]
    first = {row.base: place for place, row in enumerate(rows)}
    unswapped = list(first.values())
    signs = [row.target.source_signs for row in rows if row.target is not None]
    if len(signs) < len(rows) or not signs:
        raise DataError(
            "The target cannot be fitted.", why="Rows have no linear target.", do="Use a task that has one."
        )
    design = np.array([*signs, *[[1.0] * len(signs[0])] * len(unswapped)])
    design = np.column_stack([np.ones(len(design)), design])
    values = np.concatenate([swapped, plain[unswapped]])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise DataError(
            "The target cannot be fitted.",
            why="The signals of the training rows do not vary independently.",
            do="Use more training rows (--train-limit).",
        )
    solution, *_ = np.linalg.lstsq(design, values, rcond=None)
    spread = float(((values - values.mean()) ** 2).sum())
    rest = float(((values - design @ solution) ** 2).sum())
    return LinearFit(tuple(float(one) for one in solution), 1 - rest / spread if spread else 0.0, len(values))
