"""Cells of the causal-variable track small enough to train on in a test."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from tiny_models import VOCAB, tiny_model

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.core.sites import Component, Site
from mibench.engine.featurizers.edit import edit_of
from mibench.engine.interchange.interchanges import Interchanges
from mibench.engine.interchange.options import Edit, Intervention, SiteEdit
from mibench.engine.interchange.outputs import Outputs
from mibench.engine.model import LanguageModel
from mibench.methods.method import METHODS
from mibench.methods.variable_view import Ground, VariableView
from mibench.tasks.interchange import EncodedInterchange
from mibench.tasks.variable_task import Training

WIDTH = 16
LAST = Site(1, "last")
EARLY = Site(0, "last")
HEADS = (Site(1, "all", Component.HEAD, 0), Site(1, "all", Component.HEAD, 2))


@cache
def model(dtype: torch.dtype = torch.float32) -> LanguageModel:
    return LanguageModel(tiny_model("llama", dtype))


@cache
def rows(number: int = 24, seed: int = 0) -> tuple[EncodedInterchange, ...]:
    """Random prompts of five to seven tokens with random labels; every third row is to keep its answer."""
    draw = np.random.default_rng(seed)
    found = []
    for place in range(number):
        length = 5 + place % 3
        base, source = (tuple(draw.integers(1, VOCAB, length).tolist()) for _ in range(2))
        answers = [(int(token),) for token in draw.integers(1, VOCAB, 2)]
        cause = place % 3 > 0
        found.append(
            EncodedInterchange(
                id=str(place),
                set="changed" if cause else "kept",
                base=base,
                source=source,
                base_positions=positions(length),
                source_positions=positions(length),
                accepted=(answers[int(cause)],),
                base_accepted=(answers[0],),
                source_accepted=(answers[1],),
                cause=cause,
            )
        )
    return tuple(found)


def positions(length: int) -> dict[str, tuple[int, ...]]:
    return {"last": (length - 1,), "first": (0,), "all": tuple(range(length))}


def view(*groups: Sequence[Site], **changes: Any) -> VariableView:
    """A view of random rows; ``changes`` are fields of the view, or of its ground (``size`` as a number)."""
    own = {name: changes.pop(name) for name in ("size", "training", "coefficients") if name in changes}
    ground = Ground(
        task="toy",
        model="tiny",
        variable="x",
        groups=tuple(tuple(group) for group in groups) or ((LAST,),),
        size=lambda width: min(own.get("size", 4), width),
        training=own.get("training", Training(epochs=2, batch=8, lr=1e-2)),
        coefficients=own.get("coefficients"),
    )
    given = {"model": model(), "train": rows(), "validation": rows(12, seed=1)}
    return VariableView(ground=ground, **(given | changes))


def call(name: str, cell: VariableView, **params: Any) -> Featurizers:
    """Run a registered method."""
    found = METHODS.load(name)
    made: Featurizers = found.function(cell, **found.parameters(params))
    made.validate()
    return made


def edit_at(found: Featurizers, site: Site = LAST) -> Edit:
    return edit_of(found[site], device=model().device, dtype=torch.float32)


def intervention(found: Featurizers, *sites: Site) -> Intervention:
    return tuple(SiteEdit(site, edit_at(found, site)) for site in sites or (LAST,))


def outputs(cell: VariableView, *interventions: Intervention) -> Outputs:
    return runs(cell).run(interventions)


def runs(cell: VariableView) -> Interchanges:
    return cell.interchanges("train")


def array_of(found: Featurizers, name: str = "rotation", site: Site = LAST) -> np.ndarray:
    """The first tensor of that name at a site."""
    return next(one.tensors[name] for one in found[site].operations if name in one.tensors)


def bytes_of(found: Featurizers) -> str:
    return found.digest
