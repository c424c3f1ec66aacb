"""The causal family on the planted network: its variables, and dictionaries that hold them or do not."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from core_family import linear
from planted.plan import VARIABLES
from planted.task import PLAN, write_planted

from mibench.artifacts.dictionaries.dictionary import Dictionary, Place
from mibench.core.hook_points import HookPoint
from mibench.core.specs import ModelRef
from mibench.engine.dictionaries.coder import Coder
from mibench.engine.model import LanguageModel
from mibench.models.load import HFModel, load_hf
from mibench.tasks.sae.causal import CausalTask, Controls, MaskTraining, Ranking
from mibench.tracks.sae.causal import CausalEvaluation, prepare
from mibench.tracks.sae.evaluation import Ground, Network, Subject, Text

PLACE = Place("planted", HookPoint(3))
"""After the layers that move both variables to the last token."""
SETTINGS = CausalTask(
    task="planted",
    variables=VARIABLES,
    position="last",
    cluster="row",
    select="ranking",
    ranking=Ranking(ks=(1, 3, 6, 12), steps=2),
    mask=MaskTraining(sparsities=(1e-2,), epochs=6, batch=32, lr=0.2),
    controls=Controls(sizes=(), draws=4),
)


@cache
def _loaded() -> HFModel:
    with TemporaryDirectory() as folder:
        return load_hf(str(write_planted(Path(folder) / "planted")), dtype="float32", device="cpu", attention=None)


@cache
def network() -> Network:
    loaded = _loaded()
    ref = ModelRef(name="planted", digest="0" * 64, dtype="float32")
    return Network(LanguageModel(loaded.model), ref, loaded.tokenizer)


def ground(**changes: Any) -> Ground:
    """The last token after layer 3, on the test split."""
    return replace(Ground(PLACE, Text("none"), network(), batch_tokens=4096), **changes)


def evaluation(settings: CausalTask = SETTINGS, **changes: Any) -> CausalEvaluation:
    return prepare(settings, ground(**changes))


def subject(dictionary: Dictionary) -> Subject:
    return Subject(dictionary, Coder(dictionary, device=torch.device("cpu"), dtype=torch.float32))


def orthogonal(basis: np.ndarray) -> Dictionary:
    """Latents are the coordinates in an orthonormal basis, its columns."""
    return linear(basis, basis.T, np.zeros(len(basis)), PLACE)


@cache
def planted_basis() -> tuple[np.ndarray, dict[str, tuple[int, ...]]]:
    """An orthonormal basis of the stream, and which of its columns hold each variable at the last token."""
    parts = PLAN.directions
    columns = np.column_stack([np.ones(PLAN.d_model) / np.sqrt(PLAN.d_model), *parts.values()])
    starts = dict(zip(parts, 1 + np.cumsum([0, *(part.shape[1] for part in parts.values())]), strict=False))
    where = {name: int(starts[f"moved_{name}"]) for name in VARIABLES}
    return columns, {name: tuple(range(start, start + PLAN.k)) for name, start in where.items()}


def rotated(seed: int = 0) -> np.ndarray:
    """A random orthonormal basis."""
    rng = np.random.default_rng(seed)
    return np.asarray(np.linalg.qr(rng.normal(size=(PLAN.d_model, PLAN.d_model)))[0])
