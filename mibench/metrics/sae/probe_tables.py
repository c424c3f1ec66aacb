"""Tables of probes: one row for every scored text and probe, and what was made of them for each set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mibench.metrics.long_tables import contradiction
from mibench.metrics.sae.clustered import ScoredSet, accuracies, aucs

LATENTS, RAW, DENSE, FROZEN = "latents", "raw", "dense", "frozen"
"""What a probe reads: latents, single entries of the activation, the whole activation (k = 0), a frozen decoder's
latents."""

Probe = tuple[str, int]
"""What is read, and how many entries of it; 0: all."""

COLUMNS = ("set", "source", "row", "label", "features", "k", "score")


@dataclass(frozen=True)
class ProbeScores:
    """The table as arrays.

    Attributes:
        probes: What each column of the scores is of.
        sets: The labelled sets, by name.
    """

    probes: tuple[Probe, ...]
    sets: tuple[ScoredSet, ...]


def long_table(sets: Sequence[ScoredSet], probes: Sequence[Probe]) -> pd.DataFrame:
    """Return one row for every set, text and probe, with the log odds as ``score``."""
    parts = [
        pd.DataFrame(
            {
                "set": one.name,
                "source": one.source,
                "row": np.arange(len(one.labels)),
                "label": one.labels,
                "features": features,
                "k": k,
                "score": one.scores[:, column],
            }
        )
        for one in sets
        for column, (features, k) in enumerate(probes)
    ]
    return pd.concat(parts, ignore_index=True)


def read_scores(table: pd.DataFrame) -> ProbeScores:
    """Check a table of `long_table` and return it as arrays.

    Raises:
        DataError: Columns or scores are missing, a row is doubled, or a set has one label only.
    """
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing or table.empty:
        raise contradiction(f"the table of probes has no {'column ' + ', '.join(missing) if missing else 'row'}")
    if table.duplicated(["set", "row", "features", "k"]).any():
        raise contradiction("a probe has two scores for one text")
    keys = table[["features", "k"]].drop_duplicates()
    probes = tuple((str(features), int(k)) for features, k in keys.itertuples(index=False))
    sets = tuple(_read_set(str(name), part, probes) for name, part in table.groupby("set", sort=True))
    return ProbeScores(probes, sets)


def _read_set(name: str, part: pd.DataFrame, probes: Sequence[Probe]) -> ScoredSet:
    wide = part.pivot(index="row", columns=["features", "k"], values="score")
    facts = part.groupby("row")[["label", "source"]]
    if wide.shape[1] != len(probes) or not np.isfinite(wide.to_numpy(dtype=np.float64)).all():
        raise contradiction(f"in the set '{name}' a probe has no score for a text")
    if (facts.nunique() > 1).any(axis=None) or part["source"].nunique() > 1:
        raise contradiction(f"in the set '{name}' probes disagree about a label or the source")
    labels = facts.first().sort_index()["label"].to_numpy(dtype=np.bool_)
    if labels.all() or not labels.any():
        raise contradiction(f"the set '{name}' has one label only")
    scores = wide.sort_index()[list(probes)].to_numpy(dtype=np.float64)
    return ScoredSet(name, str(part["source"].iloc[0]), labels, scores)


def set_table(scores: ProbeScores, made: Mapping[tuple[str, Probe], Mapping[str, object]]) -> pd.DataFrame:
    """Return accuracy and area of every set and probe, with what is known of how the probe was made.

    Args:
        scores: Of all probes.
        made: Further columns by set and probe, such as ``strength`` and ``columns``.
    """
    rows = []
    for one in scores.sets:
        once = np.ones((1, len(one.labels)))
        both = accuracies(once, one.labels, one.scores)[0], aucs(once, one.labels, one.scores)[0]
        for (features, k), accuracy, auc in zip(scores.probes, *both, strict=True):
            row: dict[str, object] = {"set": one.name, "source": one.source, "features": features, "k": k}
            row |= {"accuracy": accuracy, "auc": auc, "n": len(one.labels)}
            rows.append(row | dict(made.get((one.name, (features, k)), {})))
    return pd.DataFrame(rows)
