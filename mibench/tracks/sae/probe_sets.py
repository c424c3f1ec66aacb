"""Labelled sets of one source as rows of common texts, with probes fitted on features of these texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mibench.core.errors import DataError
from mibench.metrics.sae.clustered import ScoredSet
from mibench.metrics.sae.probe_tables import DENSE, Probe
from mibench.metrics.sae.sparse_probe import Columns, ProbeRule, SparseProbe, Split, dense_probe, sparse_probes
from mibench.tasks.probing.labelled import LabelledSet
from mibench.tasks.probing.splits import SplitName, split_of_groups

Fitted = dict[Probe, SparseProbe]


@dataclass(frozen=True)
class ProbedSet:
    """Probes of a set.

    Attributes:
        probes: By what they read.
        scores: Log odds that each gives the scored rows.
    """

    probes: Fitted
    scores: dict[Probe, NDArray[np.float64]]

    def joined(self, other: ProbedSet) -> ProbedSet:
        """The probes of both."""
        return ProbedSet(self.probes | other.probes, self.scores | other.scores)

    def facts(self) -> dict[Probe, dict[str, object]]:
        """C of each probe, and what it reads, best first; nothing where it reads everything."""
        return {
            (features, k): {"strength": probe.strength, "columns": " ".join(map(str, probe.columns[:k]))}
            for (features, k), probe in self.probes.items()
        }


@dataclass(frozen=True)
class SetRows:
    """A labelled set as rows of its source's texts.

    Attributes:
        labelled: The set.
        rows: Which text each of its rows is. `[rows of the set]`
        split: Rows of the set by use.
    """

    labelled: LabelledSet
    rows: Columns
    split: Split

    def fit(self, features: NDArray[np.floating], kind: str, ks: Sequence[int], rule: ProbeRule) -> Fitted:
        """Fit probes of a kind on pooled features of all texts of the source. `[texts, width]`."""
        own = features[self.rows]
        if kind == DENSE:
            return {(kind, 0): dense_probe(own, self.split, rule)}
        return {(kind, k): probe for k, probe in sparse_probes(own, self.split, ks, rule).items()}

    def scores(self, features: NDArray[np.floating], fitted: Fitted) -> dict[Probe, NDArray[np.float64]]:
        """Log odds of the scored rows, the only look that is taken at them."""
        own = features[self.rows[self.split.scored]]
        return {key: probe.scores(own) for key, probe in fitted.items()}

    def scored(self, scores: dict[Probe, NDArray[np.float64]]) -> ScoredSet:
        """The scored rows with the scores of all probes, in the order of the dictionary."""
        labels = self.split.labels[self.split.scored]
        return ScoredSet(self.labelled.name, self.labelled.source, labels, np.stack(list(scores.values()), axis=1))


@dataclass(frozen=True)
class Division:
    """How sets are divided.

    Attributes:
        split: Split that is scored.
        limit: Scored rows of each set, at most; None: all.
        seed: Of the splits.
        tuned: Whether anything is tuned.
    """

    split: SplitName
    limit: int | None
    seed: int
    tuned: bool = True

    @property
    def held_out(self) -> bool:
        """Whether a part of train is for tuning: validation is, unless it is what is scored."""
        return self.tuned and self.split == "validation"


@dataclass(frozen=True)
class SourceSets:
    """All sets of one source.

    Attributes:
        name: Name of the source.
        labelled: The sets.
        division: How they are divided.
    """

    name: str
    labelled: tuple[LabelledSet, ...]
    division: Division

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """Texts of all sets, each once."""
        return tuple(dict.fromkeys(row.text for one in self.labelled for row in one.rows))

    @cached_property
    def sets(self) -> tuple[SetRows, ...]:
        """The sets with their splits.

        Raises:
            DataError: In a split of a set a label is missing.
        """
        place = {text: index for index, text in enumerate(self.texts)}
        return tuple(
            SetRows(one, np.array([place[row.text] for row in one.rows]), divided(one, self.division))
            for one in self.labelled
        )


def divided(labelled: LabelledSet, division: Division) -> Split:
    """Divide a set by its groups.

    Probes are tuned on validation; where that is scored, on about 3 in 10 rows of train, not fitted on then.

    Raises:
        DataError: In one of the splits a label is missing.
    """
    labels = np.array([row.label for row in labelled.rows], dtype=np.bool_)
    parts = _parts(labelled, np.arange(len(labels)), division.seed)
    train, tuning = parts["train"], parts["validation"]
    if division.held_out:
        inner = _parts(labelled, train, division.seed)
        train, tuning = np.union1d(inner["train"], inner["validation"]), inner["test"]
    named = parts | {"train": train, "tuning": tuning}
    for name, part in named.items():
        if labels[part].all() or not labels[part].any():
            raise DataError(
                f"The labelled set '{labelled.name}' cannot be split.",
                why=f"Its {name} split ({len(part)} rows) does not have both labels.",
                do="Take more rows, another set, or another split_seed.",
            )
    scored = _first(labelled, parts[division.split], division.limit)
    return Split(train, tuning, scored, labels)


def _parts(labelled: LabelledSet, rows: Columns, seed: int) -> dict[str, Columns]:
    """Divide rows of a set so that no group is on two sides."""
    groups = [labelled.rows[row].group for row in rows]
    by_group = split_of_groups(groups, labelled.source, seed)
    names = np.array([by_group[group] for group in groups], dtype=np.str_)
    return {name: rows[names == name] for name in ("train", "validation", "test")}


def _first(labelled: LabelledSet, rows: Columns, limit: int | None) -> Columns:
    if limit is None or limit >= len(rows):
        return rows
    part = replace(labelled, rows=tuple(labelled.rows[row] for row in rows))
    kept = {row.text for row in part.first(limit).rows}
    return np.array([row for row in rows if labelled.rows[row].text in kept])
