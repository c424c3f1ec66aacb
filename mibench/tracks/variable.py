"""The causal-variable track: featurizers and a split give per-row tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.core.errors import ArtifactError
from mibench.core.sites import Site
from mibench.engine.featurizers.edit import edit_of
from mibench.engine.interchange.interchanges import Interchanges
from mibench.engine.interchange.objective import quality, targets
from mibench.engine.interchange.options import Intervention, SiteEdit
from mibench.engine.interchange.outputs import Outputs
from mibench.engine.model import LanguageModel
from mibench.tasks.interchange import EncodedInterchange
from mibench.tracks.site_groups import Group, name_of


@dataclass(frozen=True)
class Scored:
    """Rows that an artifact is scored on.

    Attributes:
        runs: The rows, ready to run.
        rows: The rows.
        coefficients: Of the linear target; None: rows have answers.
    """

    runs: Interchanges
    rows: tuple[EncodedInterchange, ...]
    coefficients: tuple[float, ...] | None = None


def interventions_of(
    featurizers: Featurizers, groups: Sequence[Group], model: LanguageModel
) -> tuple[list[Group], list[Intervention]]:
    """The groups whose sites all have a featurizer, and what is done at each; other groups are not scored.

    Raises:
        ArtifactError: No group is left.
    """
    by_site = {one.site: one for one in featurizers.sites}
    kept = [group for group in groups if all(site in by_site for site in group)]
    if not kept:
        names = ", ".join(site.name for site in list(by_site)[:3]) or "none"
        raise ArtifactError(
            "None of the cell's sites has a featurizer.",
            why=f"The artifact is about {names}; the cell about {name_of(groups[0])} and others.",
            do="Name its sites with --position, --layer, --component or --heads.",
        )
    edits = {
        site: SiteEdit(site, edit_of(by_site[site], device=model.device, dtype=model.accumulate))
        for group in kept
        for site in group
    }
    return kept, [tuple(edits[site] for site in group) for group in kept]


def example_table(groups: Sequence[Group], outputs: Outputs, scored: Scored) -> pd.DataFrame:
    """One row a group and row of data, columns as in ``metrics.variable.tables``."""
    base = _rows(scored)
    frames = [base.assign(**_place(group), **_measured(outputs, place)) for place, group in enumerate(groups)]
    return pd.concat(frames, ignore_index=True)


def noop_table(outputs: Outputs, scored: Scored) -> pd.DataFrame:
    """The same without an intervention, judged by what the interchange should give."""
    return _rows(scored).assign(**_measured(outputs, 0))


def selection_table(groups: Sequence[Group], outputs: Outputs, noop: Outputs, scored: Scored) -> pd.DataFrame:
    """Scores of the groups on the rows by which one is chosen.

    ``score`` is the mean over sets of the accuracy (of minus the squared error for a linear target), ``normalised``
    that of the rows whose answer is to change, without what doing nothing gives, and the share of the target's
    variance that is explained for a linear target. The best normalised group is ``chosen``, the first of equals.
    """
    score = quality(outputs, scored.rows, scored.coefficients)
    if scored.coefficients is None:
        normalised = normalised_accuracy(outputs, noop, scored.rows)
    else:
        spread = float(np.var(targets(scored.rows, scored.coefficients)))
        error = ((outputs.contrast - targets(scored.rows, scored.coefficients)) ** 2).mean(-1)
        normalised = 1 - error / spread if spread else np.full(len(groups), np.nan)
    deciding = score if np.isnan(normalised).all() else normalised
    table = pd.DataFrame([_place(group) for group in groups])
    return table.assign(score=score, normalised=normalised, chosen=np.arange(len(groups)) == int(np.argmax(deciding)))


def normalised_accuracy(outputs: Outputs, noop: Outputs, rows: Sequence[EncodedInterchange]) -> NDArray[np.float64]:
    """(c − c₀) / (1 − c₀) a group, ``[groups]``; c: mean over sets of the accuracy on rows whose answer is to change.

    nan where no answer is to change, or doing nothing is always right.
    """
    sets, cause = np.array([row.set for row in rows]), np.array([row.cause for row in rows])
    places = [(sets == name) & cause for name in dict.fromkeys(sets.tolist())]
    places = [place for place in places if place.any()]
    if not places:
        return np.full(len(outputs.correct), np.nan)
    reached = np.mean([outputs.correct[:, place].mean(-1) for place in places], axis=0)
    floor = float(np.mean([noop.correct[0, place].mean() for place in places]))
    return np.asarray((reached - floor) / (1 - floor) if floor < 1 else np.full(len(reached), np.nan), dtype=np.float64)


def _rows(scored: Scored) -> pd.DataFrame:
    rows = scored.rows
    return pd.DataFrame(
        {
            "set": [row.set for row in rows],
            "example": [row.id for row in rows],
            "cause": [row.cause for row in rows],
            "target": targets(rows, scored.coefficients),
        }
    )


def _place(group: Group) -> dict[str, Any]:
    """Where a group is; of several sites, layer and head are −1."""
    first: Site = group[0]
    joint = len(group) > 1
    return {
        "group": name_of(group),
        "component": first.component.value,
        "layer": -1 if joint else first.layer,
        "head": -1 if joint or first.head is None else first.head,
        "position": first.position,
    }


def _measured(outputs: Outputs, place: int) -> dict[str, NDArray[Any]]:
    return {
        "correct": outputs.correct[place],
        "contrast": outputs.contrast[place],
        "label_logprob": outputs.label_logprob[place],
    }
