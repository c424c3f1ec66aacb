"""Means over the rows of each counterfactual set: of the sample, and of its bootstrap replicates.

Rows are resampled within each set, all groups of sites and the no-op with the same draws, so that differences
between them lose what they share. What was chosen on validation stays chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mibench.metrics.bootstrap import Resampling, resampled_means
from mibench.metrics.faithfulness import BoolArray, FloatArray
from mibench.metrics.variable.examples import Control, VariableExamples

Kind = Literal["all", "cause", "isolate"]
Average = Callable[[FloatArray], FloatArray]
"""Mean of each column, perhaps in each replicate: `[n, columns] -> [..., columns]`."""


@dataclass(frozen=True)
class Means:
    """Means over rows; leading axes are those of replicates, the last column of groups is the no-op.

    Attributes:
        examples: What was averaged.
        correct: Interchange intervention accuracy by kind of row, of the sets that have such rows.
            `[..., sets, groups + 1]`
        error: Mean squared error from the linear target; None: there is none. `[..., sets, groups + 1]`
        moments: Mean of the centred target and of its square; None: there is none. `[..., sets, 2]`
        controls: Accuracy of each expressivity control over rows that change, mean over sets. `[..., groups + 1]`
    """

    examples: VariableExamples
    correct: Mapping[Kind, FloatArray]
    error: FloatArray | None
    moments: FloatArray | None
    controls: Mapping[str, FloatArray]

    def over_sets(self, kind: Kind = "all") -> FloatArray | None:
        """Mean over the sets that have rows of this kind; None: no set has. `[..., groups + 1]`."""
        found = self.correct[kind]
        return found.mean(axis=-2) if found.shape[-2] else None

    @property
    def mean_error(self) -> FloatArray | None:
        """Mean over sets of the mean squared error. `[..., groups + 1]`."""
        return None if self.error is None else self.error.mean(axis=-2)

    @property
    def explained(self) -> FloatArray | None:
        """1 − MSE / Var(target), rows of all sets pooled; NaN where the target is constant. `[..., groups + 1]`."""
        if self.error is None or self.moments is None:
            return None
        sizes = [self.examples.rows_of(name).sum() for name in self.examples.sets]
        weights = np.array(sizes, dtype=np.float64)[:, None] / sum(sizes)
        error, moments = ((weights * each).sum(axis=-2) for each in (self.error, self.moments))
        variance = moments[..., 1] - moments[..., 0] ** 2
        # A constant target leaves rounding only.
        variance = np.where(variance > 1e-12 * moments[..., 1], variance, np.nan)
        return np.asarray(1 - error / variance[..., None])

    def idle(self) -> Means:
        """Return the same as if the intervention at every group did nothing: the floor of each metric."""
        correct = {kind: _all_last(values) for kind, values in self.correct.items()}
        return replace(self, correct=correct, error=None if self.error is None else _all_last(self.error))


@dataclass(frozen=True)
class Measured:
    """Means of the sample, and of its replicates (leading axis)."""

    sample: Means
    replicates: Means


def measure(examples: VariableExamples, resampling: Resampling) -> Measured:
    """Average the sample and its replicates; equal rows and seed give equal draws, whatever the groups."""
    return Measured(sample_means(examples), _means(examples, lambda place: _resampled(place, resampling)))


def sample_means(examples: VariableExamples) -> Means:
    """Average the sample alone."""
    return _means(examples, lambda _: _mean)


def _mean(values: FloatArray) -> FloatArray:
    return np.asarray(values.mean(axis=0))


def _resampled(place: int, resampling: Resampling) -> Average:
    """Return the averages of one set's replicates; every set draws by itself."""
    seed = int(np.random.SeedSequence([resampling.seed, place]).generate_state(1, np.uint64)[0])
    return lambda values: resampled_means(values, replace(resampling, seed=seed))


def _means(examples: VariableExamples, average_of: Callable[[int], Average]) -> Means:
    correct: dict[Kind, list[FloatArray]] = {"all": [], "cause": [], "isolate": []}
    errors, moments = [], []
    for place, name in enumerate(examples.sets):
        rows, average = examples.rows_of(name), average_of(place)
        for kind, values in _by_kind(examples.correct[rows], examples.cause[rows], average).items():
            correct[kind].append(values)
        if examples.error is not None and examples.target is not None:
            # Centred, or the variance would be a difference of large numbers.
            target = (examples.target - examples.target.mean())[rows]
            errors.append(average(examples.error[rows]))
            moments.append(average(np.column_stack([target, target**2])))
    return Means(
        examples,
        {kind: _stack(values, like=correct["all"][0]) for kind, values in correct.items()},
        np.stack(errors, axis=-2) if errors else None,
        np.stack(moments, axis=-2) if moments else None,
        {name: _control(control, average_of) for name, control in examples.controls.items() if control.sets.size},
    )


def _by_kind(correct: FloatArray, cause: BoolArray, average: Average) -> dict[Kind, FloatArray]:
    every = average(correct)
    if cause.all():
        return {"all": every, "cause": every}
    if not cause.any():
        return {"all": every, "isolate": every}
    return {"all": every, "cause": _where(correct, cause, average), "isolate": _where(correct, ~cause, average)}


def _where(correct: FloatArray, rows: BoolArray, average: Average) -> FloatArray:
    """Mean over some rows of a set; NaN in a replicate that drew none of them."""
    both = average(np.column_stack([correct * rows[:, None], rows]))
    with np.errstate(invalid="ignore"):
        return np.asarray(both[..., :-1] / both[..., -1:])


def _control(control: Control, average_of: Callable[[int], Average]) -> FloatArray:
    names = sorted(set(control.sets.tolist()))
    means = [average_of(place)(control.correct[control.sets == name]) for place, name in enumerate(names)]
    return np.asarray(np.stack(means, axis=-2).mean(axis=-2))


def _stack(values: list[FloatArray], like: FloatArray) -> FloatArray:
    return np.stack(values, axis=-2) if values else np.empty((*like.shape[:-1], 0, like.shape[-1]))


def _all_last(values: FloatArray) -> FloatArray:
    return np.broadcast_to(values[..., -1:], values.shape)
