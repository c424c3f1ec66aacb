"""Dictionary files as cells of the SAE track: whose they are, where they belong, and one pass for many of them."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.artifacts.dictionaries.processing import processed
from mibench.artifacts.dictionary_files import load_dictionary, needs_processing
from mibench.core.errors import ArtifactError, MibenchError, StoreError, UsageError
from mibench.core.hook_points import HookKind
from mibench.core.specs import MethodRef
from mibench.metrics.sae.training_log import TOLERANCE
from mibench.models.catalogue import names_of
from mibench.records.record import RunRecord
from mibench.records.store import Store
from mibench.runner.cells.identity import method_ref
from mibench.runner.cells.meter import Meter
from mibench.runner.cells.work import CellRun
from mibench.runner.cells.workbench import Workbench
from mibench.runner.dictionaries.cell import score_all
from mibench.runner.dictionaries.ground import evaluation_of
from mibench.runner.grounds import check_places
from mibench.runner.handed_in.featurizers import Whose
from mibench.runner.settings import RunSettings
from mibench.tasks.sae.dictionary_task import is_generated


def read_dictionary(path: Path, whose: Whose, settings: RunSettings) -> tuple[Dictionary, MethodRef]:
    """Read a dictionary and say whose it is; settings say the model and the place where the file does not.

    Raises:
        UsageError: No such file, several hook points are given, or one for data that are generated.
        ArtifactError: It cannot be used.
    """
    check_places(settings)
    found = load_dictionary(path, hook=_stated_hook(settings))
    name = whose.method or found.method or path.resolve().stem
    reference = method_ref(
        name=name,
        version=whose.version,
        params=dict(whose.params or found.params),
        seed=whose.seed if whose.seed is not None else found.training.seed,
        artifact_digest=found.digest,
    )
    return replace(found, method=name), reference


def _stated_hook(settings: RunSettings) -> str | None:
    return _one(settings.hook, "hook") if settings.hook else None


def _one(values: Sequence[str], what: str) -> str:
    if len(values) != 1:
        raise UsageError(
            f"State one {what} for dictionary files.", why=f"{len(values)} are given.", do=f"Give --{what} once."
        )
    return values[0]


def on_model(found: Dictionary, bench: Workbench, task: str) -> Dictionary:
    """The dictionary for a model as it is loaded here: one that was trained on processed weights is brought to it.

    Raises:
        ArtifactError: It says that it is for another model, or what was done to the weights cannot be undone.
    """
    name, own = bench.model_ref.name, found.place.model
    check_model_name(found, name, task)
    if not own:
        found = replace(found, place=replace(found.place, model=name))
    if not needs_processing(found):
        return found
    kwargs = found.meta.get("model_from_pretrained_kwargs", {})
    bias = _value_bias(found, bench, folded=bool(kwargs.get("fold_ln")))
    return processed(found, kwargs, norm=bench.model.anatomy.layout.norm, value_bias=bias)


def check_model_name(found: Dictionary, model: str, task: str) -> None:
    """Check that a dictionary is for a model, or for the generated data of a task, as far as it says.

    Raises:
        ArtifactError: It says that it is for something else.
    """
    own = found.place.model
    if not own or is_for(found, model) or own == task:
        return
    what, use = ("the generated data of", "task") if is_generated(own) else ("", "model")
    raise ArtifactError(
        f"The dictionary is not for {task if is_generated(task) else model}.",
        why=" ".join(filter(None, ("It says that it is for", what, f"{own}."))),
        do=f"Use --{use} {own.removeprefix('local:')}, or another dictionary.",
    )


def _value_bias(found: Dictionary, bench: Workbench, *, folded: bool) -> NDArray[np.float64] | None:
    """The value bias of each query head of a layer, side by side; ``folded``: with the norm's shift in it."""
    if found.place.hook.kind is not HookKind.HEADS:
        return None
    layer, anatomy = found.place.hook.layer, bench.model.anatomy
    own = bench.model.folded[layer]
    bias = own.bias[own.index[2]]
    if not folded:
        raw = anatomy.projections(layer)[2].bias
        kv_heads = torch.arange(anatomy.n_heads, device=bias.device) // anatomy.kv_group
        bias = torch.zeros_like(bias) if raw is None else raw[kv_heads]
    return np.asarray(bias.flatten().to("cpu", torch.float64).numpy())


def is_for(found: Dictionary, model: str) -> bool:
    """Whether a dictionary says that it is for a model, under any of its names."""
    return found.place.model.casefold() in names_of(model)


def hook_of(found: Dictionary) -> str | None:
    """Where a dictionary works, as jobs name it; None where data are generated."""
    return None if is_generated(found.place.model) else found.place.text


def score_together(works: Sequence[CellRun], store: Store) -> None:
    """Score dictionaries of one task and place in one pass where activations are not kept; records come later.

    What fails is left to be scored by itself, so that the failure is that of one cell.
    """
    groups: dict[Hashable, list[CellRun]] = {}
    for work in works:
        if work.settings.storage == "none" and not (store.has(work.cell) and work.settings.only == "missing"):
            key = id(evaluation_of(work.job, work.bench, work.settings))
            groups.setdefault(key, []).append(work)
    for group in groups.values():
        try:
            found = score_all(group, [work.handed_in for work in group], Meter())
        except StoreError:
            raise
        except MibenchError:
            continue
        own = group[0].bench.dictionaries
        own.prescored |= {work.cell.id: one for work, one in zip(group, found, strict=True)}


def log_remark(record: RunRecord) -> str | None:
    """What to say of a dictionary whose L0 is not that of its training log."""
    found = record.metrics.get("l0_to_log")
    if found is None or found.value is None or abs(math.log(max(found.value, 1e-9))) <= math.log(TOLERANCE):
        return None
    return (
        f"{record.cell.method.name}: L0 is {found.value:.2f} times that of its training log; "
        "check model, hook point, scaling and BOS before trusting its numbers"
    )
