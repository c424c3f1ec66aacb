"""The tables of the core family: what their columns are, and how they become arrays."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from mibench.core.errors import DataError
from mibench.metrics.faithfulness import FloatArray

CONTEXTS = "contexts"
"""One row per evaluated context, columns `CONTEXT_COLUMNS`: sums over its scored tokens."""
DOCUMENT = "document"
"""Column of both tables: the document that the first token of a context is of."""
CONTEXT_COLUMNS = (
    DOCUMENT, "tokens", "entries", "squared_error", "squared_deviation", "squared_target", "squared_output", "dot",
    "target_norm", "output_norm", "norm_ratio", "cosine", "active", "absolute", "latent_sum",
    "ordinary", "ordinary_error", "ordinary_deviation", "ordinary_target",
)  # fmt: skip
"""The document; with x what is to be reconstructed, x̂ the reconstruction, f the latents with a decoder of unit rows:
``tokens`` n, ``entries`` n·d, then sums over tokens of ‖x − x̂‖², ‖x − μ‖² (μ the mean of all scored tokens), ‖x‖²,
‖x̂‖², x·x̂, ‖x‖, ‖x̂‖, ‖x̂‖/‖x‖, cos(x, x̂), ‖f‖₀, Σ|f| and Σf; the ``ordinary`` tokens, those without a massive
activation, and over them Σ‖x − x̂‖², Σ‖x − μ_o‖² with μ_o their own mean, and Σ‖x‖². Under the convention ``saebench``
also ``legacy``."""
LEGACY = "legacy"
"""Sum over tokens of 1 − ‖x − x̂‖²/‖x − μ_b‖², μ_b the mean of 16 contexts."""

LOSSES = "losses"
"""One row per context whose losses were measured: sums over counted tokens. ``tokens``, ``ce_clean``, ``ce`` and ``kl``
of the dictionary, and ``ce_…`` and ``kl_…`` of each ablation in `ABLATIONS`."""
ABLATIONS = ("zero", "mean", "resample")
LATENTS = "latents"
"""One row per latent, columns `LATENT_COLUMNS`."""
LATENT_COLUMNS = (
    "latent", "tokens", "active", "mean_activation", "max_activation", "decoder_mean_cosine", "decoder_max_cosine",
    "encoder_decoder_cosine",
)  # fmt: skip
"""``tokens`` evaluated, those on which it was ``active``, mean over these and largest value (NaN for a dead latent);
mean |cos| and largest cos of its decoder row to the others, cos to its encoder column (NaN where undefined)."""


def loss_columns(ablations: Iterable[str]) -> list[str]:
    """Columns of a table of losses with these ablations."""
    return [
        DOCUMENT,
        "tokens",
        "ce_clean",
        "ce",
        "kl",
        *(f"{loss}_{name}" for name in ablations for loss in ("ce", "kl")),
    ]


def columns_of(table: pd.DataFrame, names: Iterable[str], *, gaps: Iterable[str] = ()) -> dict[str, FloatArray]:
    """Return columns as float64 arrays.

    Args:
        table: The table.
        names: Its columns.
        gaps: Those of them that may lack values (NaN).

    Raises:
        DataError: There are no rows, a column is missing, or a value is not a finite number.
    """
    if not len(table):
        raise _unusable("it has no rows")
    found = {}
    for name in names:
        if name not in table.columns:
            raise _unusable(f"it has no column '{name}'")
        try:
            values = table[name].to_numpy(dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise _unusable(f"its column '{name}' does not hold numbers") from error
        if np.isinf(values).any() or (np.isnan(values).any() and name not in gaps):
            raise _unusable(f"its column '{name}' has values that are not finite")
        found[name] = values
    return found


def _unusable(why: str) -> DataError:
    return DataError("A table of the core family cannot be read.", why=f"{why.capitalize()}.", do="Score again.")
