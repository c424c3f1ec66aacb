"""What metrics are computed from: means over examples, as curves over circuit size."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from mibench.metrics.bootstrap import Resampling, resampled_means
from mibench.metrics.faithfulness import (
    TINY,
    BoolArray,
    Denominator,
    FaithfulnessCurve,
    FloatArray,
    denominator,
    faithfulness,
)
from mibench.metrics.metric import CircuitMetric, Quantity, RankingName
from mibench.metrics.per_example import CircuitExamples

Key = tuple[str, str]
"""A quantity and the ranking or size that it is of; empty where it is of neither."""


_NO_EMPTY_KL = "KL(model ‖ empty circuit) is not distinguishable from 0: the ablation leaves nothing to restore"


@dataclass(frozen=True)
class SizeCurve:
    """A quantity of circuits of growing size.

    Attributes:
        sizes: Weighted real edges of each pruned circuit over the edges of the graph. `[points]`
        values: One curve, or one for each bootstrap replicate. `[..., points]`
        empty: The quantity where no edge is kept. `[...]`
        full: The quantity where all are. `[...]`
    """

    sizes: FloatArray
    values: FloatArray
    empty: FloatArray
    full: FloatArray


@dataclass(frozen=True)
class Removals:
    """A circuit, and the same without one of its edges.

    Attributes:
        circuit: Faithfulness of the circuit. `[...]`
        without: Faithfulness without each edge by itself. `[..., edges]`
    """

    circuit: FloatArray
    without: FloatArray


Input = FaithfulnessCurve | SizeCurve | Removals


@dataclass(frozen=True)
class Means:
    """Means over the examples of the sample, or over those of every replicate.

    Attributes:
        examples: Where they are from.
        by_key: `[..., circuits]`, by quantity.
    """

    examples: CircuitExamples
    by_key: Mapping[Key, FloatArray]

    @property
    def difference(self) -> FloatArray:
        """The difference m(full) − m(empty). `[...]`."""
        found: FloatArray = self._end("full") - self._end("empty")
        return found

    def faithfulness(self, key: Key) -> FloatArray:
        """Faithfulness of the circuits of ``key``. `[..., circuits]`."""
        return faithfulness(self.by_key[key], self._end("full"), self._end("empty"))

    def input(self, metric: CircuitMetric) -> Input:
        """What a metric is computed from; it has to be there (`Measured.missing`)."""
        ranking = metric.ranking or self.examples.any_ranking
        if metric.of == "minimality":
            return self.removals(metric.size or 0.0)
        if metric.of == "faithfulness":
            ranked = self.examples.rankings[ranking]
            return FaithfulnessCurve(ranked.fractions, ranked.sizes, self.curve("faithfulness", ranking))
        return self.size_curve(metric.of or "accuracy", ranking)

    def curve(self, quantity: Quantity, ranking: RankingName) -> FloatArray:
        """Heights of a curve. `[..., points]`."""
        if quantity == "faithfulness":
            return self.faithfulness(("value", ranking))
        return self.faithfulness((quantity, ranking)) if quantity == "complement" else self.by_key[quantity, ranking]

    def size_curve(self, quantity: Quantity, ranking: RankingName) -> SizeCurve:
        """A curve with its two ends."""
        values = self.curve(quantity, ranking)
        zero = np.zeros(values.shape[:-1])
        # The complement of nothing is the full model, and that of everything the empty circuit.
        ends = zero + 1, zero
        if quantity == "accuracy":
            ends = self._end("accuracy empty"), self._end("accuracy full")
        elif quantity == "kl":
            ends = self._end("kl empty"), zero
        return SizeCurve(self.examples.rankings[ranking].sizes, values, *ends)

    def removals(self, fraction: float) -> Removals:
        """The circuit of the absolute ranking of this size, and without single edges."""
        place = int(np.flatnonzero(self.examples.rankings["absolute"].fractions == fraction)[0])
        circuit = self.curve("faithfulness", "absolute")[..., place]
        return Removals(circuit, self.faithfulness(("minimality", f"{fraction:g}")))

    def _end(self, name: str) -> FloatArray:
        return self.by_key[name, ""][..., 0]


@dataclass(frozen=True)
class Measured:
    """The sample and its replicates.

    Attributes:
        examples: Where they are from.
        sample: Means of the sample.
        replicates: Means of all replicates `[B, …]`.
        denominator: m(full) − m(empty) of the sample.
    """

    examples: CircuitExamples
    sample: Means
    replicates: Means
    denominator: Denominator = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "denominator", denominator(self.examples.full, self.examples.empty))

    def undefined(self, quantity: Quantity | None) -> str | None:
        """Why there is nothing to divide by, or None."""
        if quantity == "kl":
            empty = self.examples.kl_empty
            return _NO_EMPTY_KL if empty is None or empty.mean() <= TINY else None
        return None if quantity == "accuracy" else self.denominator.problem

    def usable(self, metric: CircuitMetric) -> BoolArray:
        """Which replicates have something to divide by, if the metric divides. `[B]`."""
        if metric.of == "kl":
            found: BoolArray = self.replicates.by_key["kl empty", ""][..., 0] > TINY
            return found
        return self.usable_for(metric.of or "accuracy")

    def usable_for(self, quantity: Quantity) -> BoolArray:
        """Which replicates have a usable value of a curve. `[B]`."""
        differences = self.replicates.difference
        if quantity in {"accuracy", "kl"}:
            return np.ones(differences.shape, dtype=np.bool_)
        return self.denominator.usable(differences)


def measure(
    sides: list[CircuitExamples], resampling: Resampling, metrics: Collection[CircuitMetric] | None = None
) -> list[Measured]:
    """Turn samples on the same examples into means, all resampled with the same draws.

    Args:
        sides: The samples.
        resampling: The draws.
        metrics: What is to be computed from them; None: everything.
    """
    wanted = None if metrics is None else {_quantity(metric) for metric in metrics}
    columns = [_wanted(_columns(side), wanted) for side in sides]
    stacked = [values for side in columns for values in side.values()]
    replicated = resampled_means(np.hstack(stacked), resampling)
    found, start = [], 0
    for side, named in zip(sides, columns, strict=True):
        replicates = {}
        for key, values in named.items():
            replicates[key] = replicated[:, start : start + values.shape[1]]
            start += values.shape[1]
        sample = {key: values.mean(axis=0) for key, values in named.items()}
        found.append(Measured(side, Means(side, sample), Means(side, replicates)))
    return found


def _quantity(metric: CircuitMetric) -> tuple[str, str | None]:
    """What is averaged for a metric, and the ranking that it is of; None: any."""
    name = "value" if metric.of in {"faithfulness", "minimality"} else metric.of or "accuracy"
    return name, metric.ranking


def _wanted(columns: dict[Key, FloatArray], wanted: set[tuple[str, str | None]] | None) -> dict[Key, FloatArray]:
    """Leave out curves that no metric is computed from; the ends of curves stay."""
    if wanted is None:
        return columns
    curves = {"value", "accuracy", "kl", "complement"}
    return {
        (name, ranking): values
        for (name, ranking), values in columns.items()
        if name not in curves or (name, ranking) in wanted or (name, None) in wanted
    }


def _columns(examples: CircuitExamples) -> dict[Key, FloatArray]:
    """Everything that is averaged over examples, `[examples, circuits]` each."""
    found: dict[Key, FloatArray] = {
        ("full", ""): examples.full[:, None],
        ("empty", ""): examples.empty[:, None],
        ("accuracy full", ""): _right(examples.full)[:, None],
        ("accuracy empty", ""): _right(examples.empty)[:, None],
    }
    if examples.kl_empty is not None:
        found["kl empty", ""] = examples.kl_empty[:, None]
    for name, ranked in examples.rankings.items():
        found["value", name] = ranked.values
        found["accuracy", name] = _right(ranked.values)
        if ranked.kl is not None:
            found["kl", name] = ranked.kl
        if ranked.complement is not None:
            found["complement", name] = ranked.complement
    for fraction, values in (examples.removals or {}).items():
        found["minimality", f"{fraction:g}"] = values
    return found


def _right(values: FloatArray) -> FloatArray:
    """Whether the metric is above 0, so that the correct answer outranks the incorrect one."""
    return (values > 0).astype(np.float64)
