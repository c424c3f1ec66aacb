"""Featurizers on a few rows: above doing nothing, the right way round, at the right layers?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mibench.artifacts.featurizers.featurizers import Featurizers, SiteFeaturizer
from mibench.artifacts.featurizers.operation import Operation
from mibench.core.errors import DataError
from mibench.core.sites import Component, Site
from mibench.core.specs import Track
from mibench.engine.featurizers.edit import edit_of
from mibench.engine.interchange.interchanges import Interchanges
from mibench.engine.interchange.objective import targets
from mibench.engine.interchange.options import Intervention, SiteEdit
from mibench.engine.interchange.outputs import Outputs
from mibench.intake.smoke.verdict import MARGIN, Measured, Own, Variant, below_floor, cause
from mibench.methods.method import Method
from mibench.metrics.faithfulness import FloatArray
from mibench.runner.cells.workbench import Workbench
from mibench.runner.handed_in.featurizers import ground_of
from mibench.runner.plan import Job
from mibench.runner.settings import RunSettings
from mibench.runner.variables.ground import EVERYWHERE, options_of, solved_rows, target_heads_of
from mibench.tasks.interchange import EncodedInterchange
from mibench.tracks.linear_target import fit_linear

MOST_SITES = 16
"""Sites that are scored; of more, so many, evenly spread."""
_FIT_ROWS = 10

_TRANSPOSED = ("with its rotation transposed", "Features are x R, a column of R for each: hand in the transpose.")
_INVERTED = ("with weight and inverse swapped", "Features are x W, a column of W for each: swap W and its inverse.")
_SHIFTS = {
    1: ("with every layer raised by one", "Layers are counted from 0: is each of yours one too low?"),
    -1: ("with every layer lowered by one", "Layers are counted from 0: is each of yours one too high?"),
}
Change = Callable[[Operation], Operation]


def featurizer_warning(found: Featurizers, bench: Workbench, task: str, rows: int) -> str | None:
    """Interchange on validation rows that the model solves, beside what the featurizers could have been.

    The score is that of the best site: the share of rows that come out as the causal model says, or the explained
    variance of a linear target.

    Args:
        found: The artifact.
        bench: Its model.
        task: The task.
        rows: Rows, at most.

    Raises:
        MibenchError: The task cannot be used with the model, or it solves none of the rows.
    """
    ground = _ground(found, bench, task, rows)
    sites = _spread(found.sites)
    own = ground.best(sites)
    # What is right nearly always cannot gain the margin.
    tried = _variants(ground, sites) if own.value < 1 - MARGIN else []
    asked = Own(
        measured=own,
        best=1.0,
        floor=ground.plain,
        floor_words=f"better than doing nothing ({ground.plain:.2f})",
        measure="accuracy" if ground.coefficients is None else "explained variance",
        rows=f"{len(ground.rows)} validation rows of {task}",
        n=len(ground.rows),
    )
    return cause(asked, tried) or below_floor(asked)


def _variants(ground: _Ground, sites: Sequence[SiteFeaturizer]) -> list[Variant]:
    n_layers = ground.bench.model.anatomy.n_layers
    changed = [(*words, _changed(sites, change)) for words, change in _CHANGES]
    shifted = [(*words, _shifted(sites, by, n_layers)) for by, words in _SHIFTS.items()]
    return [Variant(words, do, ground.best(other)) for words, do, other in (*changed, *shifted) if other]


@dataclass(frozen=True)
class _Ground:
    """Rows, ready to run, with the linear target that they have instead of answers."""

    bench: Workbench
    runs: Interchanges
    rows: tuple[EncodedInterchange, ...]
    coefficients: tuple[float, ...] | None

    @property
    def plain(self) -> float:
        """The score without an intervention."""
        return float(self._values(self.runs.plain())[0].mean())

    def best(self, sites: Sequence[SiteFeaturizer]) -> Measured:
        """The score of the best site; heads of one position go together."""
        values = self._values(self.runs.run(self._interventions(sites)))
        return Measured.of_rows(values[int(values.mean(axis=1).argmax())])

    def _values(self, outputs: Outputs) -> FloatArray:
        """Of each intervention and row, ``[interventions, rows]``."""
        if self.coefficients is None:
            return np.asarray(outputs.correct, dtype=np.float64)
        wanted = targets(self.rows, self.coefficients)
        spread = float(np.var(wanted)) or np.nan
        return np.asarray(1 - (outputs.contrast - wanted) ** 2 / spread, dtype=np.float64)

    def _interventions(self, sites: Sequence[SiteFeaturizer]) -> list[Intervention]:
        model = self.bench.model
        groups: dict[object, list[SiteEdit]] = {}
        for one in sites:
            key = one.site.position if one.site.component is Component.HEAD else one.site
            edit = SiteEdit(one.site, edit_of(one, device=model.device, dtype=model.accumulate))
            groups.setdefault(key, []).append(edit)
        return [tuple(group) for group in groups.values()]


def _ground(found: Featurizers, bench: Workbench, task: str, rows: int) -> _Ground:
    known = bench.variable_task(task)
    settings = ground_of(found, RunSettings.model_validate({"task": task, "limit": rows, "train_limit": _FIT_ROWS}))
    job = Job(task, bench.hf.name, _STAND_IN, {}, None, variable=found.variable)
    solved = solved_rows(job, bench, settings, "validation").rows
    linear = known.parts.linear is not None
    chosen = _chosen([row for row in solved if linear or row.cause], rows)
    options = options_of(job, bench, settings)
    coefficients = None
    if linear:
        training = solved_rows(job, bench, settings, "train").rows
        heads = target_heads_of(settings, bench.hf.name, known)
        where = [Site(layer, EVERYWHERE, Component.HEAD, head) for layer, head in heads]
        coefficients = fit_linear(Interchanges(bench.model, training, options), training, where).coefficients
    return _Ground(bench, Interchanges(bench.model, chosen, options), chosen, coefficients)


def _stand_in(view: object) -> Featurizers:  # noqa: ARG001 - it stands for an artifact, and is never called
    raise AssertionError


_STAND_IN = Method(_stand_in, name="artifact", track=Track.VARIABLE.value, needs=())


def _chosen(rows: Sequence[EncodedInterchange], most: int) -> tuple[EncodedInterchange, ...]:
    """So many rows, from all sets in turn.

    Raises:
        DataError: There is none.
    """
    by_set: dict[str, list[EncodedInterchange]] = {}
    for row in rows:
        by_set.setdefault(row.set, []).append(row)
    turns = sorted((place, name) for name, own in by_set.items() for place in range(len(own)))
    if not turns:
        why = "The model solves no validation row in which the answer is to change."
        raise DataError("There is nothing to score on.", why=why, do="Use another model.")
    return tuple(by_set[name][place] for place, name in turns[:most])


def _spread(sites: Sequence[SiteFeaturizer]) -> list[SiteFeaturizer]:
    """Some of many sites, evenly; heads go together, so they are all kept."""
    if len(sites) <= MOST_SITES or sites[0].site.component is Component.HEAD:
        return list(sites)
    places = np.unique(np.linspace(0, len(sites) - 1, MOST_SITES).round().astype(int))
    return [sites[place] for place in places.tolist()]


def _shifted(sites: Sequence[SiteFeaturizer], by: int, n_layers: int) -> list[SiteFeaturizer]:
    moved = [replace(one, site=replace(one.site, layer=one.site.layer + by)) for one in sites]
    return [one for one in moved if 0 <= one.site.layer < n_layers]


def _changed(sites: Sequence[SiteFeaturizer], change: Change) -> list[SiteFeaturizer]:
    """Sites whose operations become others; none where all stay as they are."""
    made = [replace(one, operations=tuple(change(part) for part in one.operations)) for one in sites]
    same = all(
        new is old
        for one, other in zip(made, sites, strict=True)
        for new, old in zip(one.operations, other.operations, strict=True)
    )
    return [] if same else made


def _transposed(one: Operation) -> Operation:
    """The transpose of a square matrix; anything else as it is."""
    names = {"orthogonal": ("rotation",), "linear": ("weight", "inverse")}.get(one.kind, ())
    arrays = {name: one.tensors[name] for name in names}
    if not arrays or any(array.shape[0] != array.shape[1] for array in arrays.values()):
        return one
    return replace(one, tensors={name: array.T for name, array in arrays.items()})


def _inverted(one: Operation) -> Operation:
    """Weight and inverse of a square matrix swapped; anything else as it is."""
    if one.kind != "linear" or one.tensors["weight"].shape[0] != one.tensors["weight"].shape[1]:
        return one
    return replace(one, tensors={"weight": one.tensors["inverse"], "inverse": one.tensors["weight"]})


_CHANGES = ((_TRANSPOSED, _transposed), (_INVERTED, _inverted))
