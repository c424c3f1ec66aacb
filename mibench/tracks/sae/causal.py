"""The causal family: latents of one token are swapped, and one attribute is to change while the others stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property

import pandas as pd
import torch
from torch import Tensor

from mibench.core.errors import ArtifactError, DataError, UsageError
from mibench.core.hashing import digest
from mibench.core.specs import Convention
from mibench.engine.activations.capture import width_of
from mibench.engine.activations.source import ActivationSource
from mibench.engine.dictionaries.coder import Coder
from mibench.engine.meter import Progress, no_progress
from mibench.metrics.bootstrap import Resampling
from mibench.metrics.sae import causal_tables
from mibench.metrics.sae.causal_report import causal_metrics, saebench_metrics
from mibench.tasks.sae.causal import CausalTask, MaskTraining
from mibench.tracks.sae.causal_choice import Outcome, Way, outcome
from mibench.tracks.sae.causal_rows import Prepared, RowSource, site_of
from mibench.tracks.sae.causal_variable import Scene, VariableRuns
from mibench.tracks.sae.evaluation import Ground, Scores, Subject

SAEBENCH_MASK = MaskTraining(sparsities=(0.0,), epochs=2, batch=32, lr=1e-3, cold=1e-4)
"""SAEBench's training; its batch is of another size."""


def prepare(settings: CausalTask, ground: Ground) -> CausalEvaluation:
    """Return the evaluation; rows are run when they are first needed.

    Raises:
        UsageError: There is no model or tokenizer, the convention has no such family, or a name is unknown.
        DataError: The place is not in the residual stream, or is that of a transcoder; or the rows cannot be used.
    """
    network = ground.network
    if network is None or network.encoder is None:
        why = "None was given." if network is None else "It has no tokenizer."
        raise UsageError("Latents are swapped in a model with a tokenizer.", why=why, do="Name one with --model.")
    if ground.convention is Convention.MIB:
        why = "MIB does not score dictionaries."
        raise UsageError("Dictionaries have no convention 'mib'.", why=why, do="Use mibench or saebench.")
    if ground.place.target != ground.place.hook:
        raise DataError(
            "Latents of a transcoder cannot be swapped.",
            why=f"It reads {ground.place.hook.name} and writes {ground.place.target.name}.",
            do="Use a dictionary that reconstructs what it reads, or leave this task out.",
        )
    rows = RowSource(settings, ground, network, network.encoder)
    site = site_of(ground.place.hook, rows.position)
    width_of(network.model, ground.place.hook)
    return CausalEvaluation(rows, Scene(settings, rows.task, site, ground, network))


class CausalEvaluation:
    """Rows of a task at one place, and what controls do to them.

    Args:
        rows: Reads the rows.
        scene: Settings, place and model.
    """

    def __init__(self, rows: RowSource, scene: Scene) -> None:
        self._rows, self._scene = rows, scene
        self._saebench = scene.ground.convention is Convention.SAEBENCH

    @property
    def digest(self) -> str:
        """sha256 of the rows, the settings and the seed."""
        return digest(
            {"rows": self._rows.digest, "settings": asdict(self._scene.settings), "seed": self._scene.ground.seed}
        )

    @property
    def n_examples(self) -> int:
        """Rows of the evaluated split, before those that the model fails are left out."""
        ground = self._scene.ground
        return len(self._scene.task.rows(ground.split, ground.limit))

    @property
    def source(self) -> ActivationSource | None:
        """None: methods train on the ground's text."""
        return None

    @cached_property
    def _prepared(self) -> Prepared:
        return self._rows.prepare()

    @cached_property
    def _variables(self) -> tuple[VariableRuns, ...]:
        """Rows of every variable, controls and gradients measured."""
        found = tuple(VariableRuns(self._scene, labelled) for labelled in self._prepared.variables)
        for done, runs in enumerate(found):
            self._scene.ground.progress(done, len(found))
            _ = runs.frame, runs.slopes
        self._scene.ground.progress(len(found), len(found))
        return found

    @property
    def _way(self) -> Way:
        settings, seed = self._scene.settings, self._scene.ground.seed
        if self._saebench:
            return Way(None, SAEBENCH_MASK, error=False, draws=settings.controls.draws, seed=seed)
        return Way(
            settings.ranking if settings.select in {"ranking", "both"} else None,
            settings.mask if settings.select in {"mask", "both"} else None,
            error=True,
            draws=settings.controls.draws,
            seed=seed,
        )

    def score(self, subjects: Sequence[Subject], progress: Progress = no_progress) -> list[Scores]:
        """Score dictionaries one after the other; rows and controls are prepared once for all.

        Raises:
            ArtifactError: A dictionary does not fit the place.
            DataError: The model solves none of the rows.
        """
        for subject in subjects:
            self._check(subject.coder)
        found: list[Scores] = []
        total = len(subjects) * len(self._scene.settings.variables)
        for subject in subjects:
            outcomes: list[Outcome] = []
            for runs in self._variables:
                progress(len(found) * len(self._variables) + len(outcomes), total)
                outcomes.append(outcome(runs, subject.coder, self._way))
            found.append(self._scores(subject.coder, outcomes))
        progress(total, total)
        return found

    def _scores(self, coder: Coder, outcomes: Sequence[Outcome]) -> Scores:
        tables = {
            causal_tables.EXAMPLES: pd.concat([one.examples for one in outcomes], ignore_index=True),
            causal_tables.SELECTION: pd.concat([one.selection for one in outcomes], ignore_index=True),
            causal_tables.SWAPPED: pd.concat([one.swapped for one in outcomes], ignore_index=True),
            causal_tables.FIDELITY: self._fidelity(coder),
            causal_tables.ATTRITION: self._prepared.attrition,
        }
        compute = saebench_metrics if self._saebench else causal_metrics
        return Scores(tables, compute(tables, Resampling(seed=self._scene.ground.seed)))

    def _fidelity(self, coder: Coder) -> pd.DataFrame:
        """How far reconstructions are from the base activations, and these from their mean, row by row."""
        runs = self._variables[0]
        x = runs.bases
        with torch.no_grad():
            error = x - coder.reconstruct(x).to(x.dtype)
        distance = x.double() - x.double().mean((0, 1))
        described = runs.frame[["set", "example", "cluster"]]
        return described.assign(squared_error=_sums(error), squared_distance=_sums(distance))

    def _check(self, coder: Coder) -> None:
        hook = self._scene.ground.place.hook
        width = width_of(self._scene.network.model, hook)
        if (coder.d_in, coder.d_out) != (width, width):
            raise ArtifactError(
                "The dictionary does not fit the place where it is scored.",
                why=f"It reads {coder.d_in} entries and writes {coder.d_out}; {hook.name} has {width}.",
                do="Score it at the model, layer and hook point that it was trained on.",
            )


def _sums(values: Tensor) -> list[float]:
    found: list[float] = (values.double() ** 2).sum((1, 2)).tolist()
    return found
