"""A method run on the planted network and scored on other rows, with the library's own parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.core.sites import Site
from mibench.engine.interchange.interchanges import Interchanges
from mibench.engine.interchange.options import InterchangeOptions
from mibench.engine.model import LanguageModel
from mibench.methods.method import Method
from mibench.methods.variable_view import Ground, VariableView
from mibench.tasks.interchange import EncodedInterchange
from mibench.tasks.variable_parts import Training
from mibench.tracks.variable import Scored, example_table, interventions_of, noop_table, selection_table
from planted.plan import Array, Plan
from planted.rows import isolate_rows, random_rows

TRAINING = Training(epochs=12, batch=64, lr=6e-2)


@dataclass(frozen=True)
class PlantedCell:
    """Sites of a variable in one planted network.

    Attributes:
        model: The planted network (or a control of it).
        variable: ``a`` or ``b``.
        groups: Sites taken together.
        plan: What was planted.
        training: How methods train.
        draws: How often synonyms are drawn for every training pair.
        seed: Seed of the method.
    """

    model: LanguageModel
    variable: str
    groups: tuple[tuple[Site, ...], ...]
    plan: Plan
    training: Training = TRAINING
    draws: int = 1
    seed: int = 0

    def rows(self, seed: int) -> tuple[EncodedInterchange, ...]:
        """Cause and isolate rows; another seed, other synonyms."""
        return (*random_rows(self.plan, self.variable, seed), *isolate_rows(self.plan, self.variable, seed))

    @property
    def train(self) -> tuple[EncodedInterchange, ...]:
        """Training rows; no seed is below 100 but those of validation (1) and test (2)."""
        drawn = [(draw, row) for draw in range(self.draws) for row in self.rows(100 + draw)]
        return tuple(replace(row, id=f"{row.id}-{draw}") for draw, row in drawn)

    def found_by(self, method: Method, **params: Any) -> Featurizers:
        """What a method hands in."""
        ground = Ground(
            task="planted",
            model="planted",
            variable=self.variable,
            groups=self.groups,
            size=lambda _: self.plan.k,
            training=self.training,
        )
        options = InterchangeOptions(batch_size=64, batch_tokens=4096)
        return method.function(VariableView(self.model, ground, self.train, self.rows(1), options, self.seed), **params)

    def tables(self, featurizers: Featurizers) -> dict[str, pd.DataFrame]:
        """The track's tables: site chosen on validation rows, examples and no-op on test rows."""
        found, interventions = interventions_of(featurizers, self.groups, self.model)
        tables = {}
        for split, seed in (("validation", 1), ("test", 2)):
            rows = self.rows(seed)
            runs = Interchanges(self.model, rows, InterchangeOptions(batch_size=64, batch_tokens=4096))
            scored, outputs, plain = Scored(runs, rows), runs.run(interventions), runs.plain()
            if split == "validation":
                tables["selection"] = selection_table(found, outputs, plain, scored)
            else:
                tables |= {"examples": example_table(found, outputs, scored), "noop": noop_table(plain, scored)}
        return tables


def iia(examples: pd.DataFrame, kind: str) -> dict[str, float]:
    """Interchange intervention accuracy by group, of cause rows or of isolate rows."""
    kept = examples[examples["cause"] == (kind == "cause")]
    return {str(name): float(value) for name, value in kept.groupby("group")["correct"].mean().items()}


def normalised(tables: dict[str, pd.DataFrame]) -> dict[str, float]:
    """(IIA − floor) / (1 − floor) on cause rows, by group."""
    noop = tables["noop"]
    floor = float(noop[noop["cause"]]["correct"].mean())
    return {name: (value - floor) / (1 - floor) for name, value in iia(tables["examples"], "cause").items()}


def rotation_of(featurizers: Featurizers, site: Site) -> Array:
    """The one rotation of a site, ``[width, k]``."""
    [operation] = featurizers[site].operations
    return np.asarray(operation.tensors["rotation"], dtype=np.float64)


def one_by_one(sites: Sequence[Site]) -> tuple[tuple[Site, ...], ...]:
    """Every site a group."""
    return tuple((site,) for site in sites)
