"""One variable at one site: rows ready to run, and what needs no dictionary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.core.sites import Site
from mibench.engine.featurizers.edit import edit_of
from mibench.engine.interchange.interchanges import Interchanges
from mibench.engine.interchange.options import Edit, Intervention, SiteEdit
from mibench.methods.variable.multi_task_das import multi_task_das
from mibench.methods.variable.random_subspace import random_subspace
from mibench.methods.variable_view import Ground as MethodGround
from mibench.methods.variable_view import VariableView
from mibench.metrics.sae import causal_tables
from mibench.metrics.sae.causal_tables import disentangled
from mibench.tasks.interchange import EncodedInterchange
from mibench.tasks.sae.causal import CausalTask
from mibench.tasks.variable_task import VariableTask
from mibench.tracks.sae.causal_ranking import Slopes, slopes_of
from mibench.tracks.sae.causal_rows import Labelled, clusters_of, options_of
from mibench.tracks.sae.evaluation import Ground, Network

Right = NDArray[np.bool_]


@dataclass(frozen=True)
class Scene:
    """What all variables share.

    Attributes:
        settings: The task's settings.
        task: Whose rows are used.
        site: Where latents are swapped.
        ground: Where and how.
        network: The model.
    """

    settings: CausalTask
    task: VariableTask
    site: Site
    ground: Ground
    network: Network


class VariableRuns:
    """Rows of one variable.

    Attributes:
        name: The variable.
        rows: Rows that are scored.
        view: Model, training and tuning rows, for what is trained.

    Args:
        scene: What all variables share.
        labelled: The rows.
    """

    def __init__(self, scene: Scene, labelled: Labelled) -> None:
        self._scene, self.name, self.rows = scene, labelled.variable, labelled.scored
        options, task, ground = options_of(scene.ground), scene.task, scene.ground
        self.view = VariableView(
            model=scene.network.model,
            ground=MethodGround(
                task=task.name,
                model=scene.network.ref.name,
                variable=labelled.variable,
                groups=((scene.site,),),
                size=lambda width: task.size(labelled.variable, width),
                training=task.parts.training,
            ),
            train=labelled.train,
            validation=labelled.tuning,
            options=options,
            seed=ground.seed,
            counter=ground.counter,
        )
        self._scored = Interchanges(scene.network.model, self.rows, options, ground.counter)

    @property
    def tuning(self) -> Sequence[EncodedInterchange]:
        """Rows that the number of latents is chosen on."""
        return self.view.validation

    @cached_property
    def slopes(self) -> Slopes:
        """Activations and gradients on training rows."""
        steps = self._scene.settings.ranking.steps
        return slopes_of(self.view.interchanges("train"), self.view.train, self._scene.site, steps)

    @cached_property
    def bases(self) -> Tensor:
        """What the site holds on the base prompts of the scored rows, ``[rows, n_pos, width]``."""
        return self._scored.bases([self._scene.site])[self._scene.site]

    def tuned(self, edits: Sequence[Edit]) -> Right:
        """Whether answers of tuning rows are right under each edit, ``[edits, rows]``."""
        runs = self.view.interchanges("validation")
        runs.keep()
        return self._right(runs, edits)

    def scored(self, edits: Sequence[Edit]) -> Right:
        """The same of the scored rows."""
        self._scored.keep()
        return self._right(self._scored, edits)

    def _right(self, runs: Interchanges, edits: Sequence[Edit]) -> Right:
        interventions: list[Intervention] = [(SiteEdit(self._scene.site, edit),) for edit in edits]
        found: Right = runs.run(interventions).correct
        return found

    @cached_property
    def controls(self) -> pd.DataFrame:
        """Which scored rows are right under each control, a column each."""
        edits = {
            causal_tables.NOOP: _keep,
            causal_tables.FULL: _replace,
            causal_tables.ORACLE: self._oracle(),
            causal_tables.SUBSPACE: self._edit_of(random_subspace.function(self.view)),
        }
        return pd.DataFrame(dict(zip(edits, self.scored(list(edits.values())), strict=True)))

    def _oracle(self) -> Edit:
        """The supervised subspace that is best on tuning rows, the whole activation among them; the first of equals."""
        controls = self._scene.settings.controls
        trained = [
            self._edit_of(multi_task_das.function(self.view, k=size or None, epochs=controls.epochs))
            for size in controls.sizes
        ]
        edits = [*trained, _replace]
        cause = np.array([row.cause for row in self.tuning])
        return edits[int(np.argmax(disentangled(self.tuned(edits), cause)))]

    def _edit_of(self, found: Featurizers) -> Edit:
        model = self._scene.network.model
        return edit_of(found[self._scene.site], device=model.device, dtype=model.accumulate)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The scored rows, with what controls did to them."""
        rows = self.rows
        described = pd.DataFrame(
            {
                "variable": self.name,
                "set": [row.set for row in rows],
                "example": [row.id for row in rows],
                "cluster": clusters_of(rows, self._scene.settings.cluster),
                "cause": [row.cause for row in rows],
            }
        )
        return described.join(self.controls)


def _keep(base: Tensor, _source: Tensor) -> Tensor:
    return base


def _replace(_base: Tensor, source: Tensor) -> Tensor:
    return source
