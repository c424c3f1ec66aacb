"""What the activations of a run of dictionaries will take on disk and in hours, from sizes alone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from transformers import AutoConfig

from mibench.core.files import is_folder
from mibench.core.hook_points import HookPoint
from mibench.models.catalogue import CATALOGUE
from mibench.runner.dictionaries.ground import TO
from mibench.runner.plan import Job
from mibench.runner.settings import RunSettings
from mibench.tasks.sae.dictionary_task import load_dictionary_task

_TRIAL = 1024


@dataclass(frozen=True)
class StoreForecast:
    """One set of activations.

    Attributes:
        model: Name of the model.
        hook: Where they are read; empty: half-way up.
        text: What they are of.
        tokens: How many.
        bytes: Size on disk; of each use where nothing is kept.
        hours: Time to compute them here, roughly; None: the model's size is not known.
    """

    model: str
    hook: str
    text: str
    tokens: int
    bytes: int | None
    hours: float | None


@dataclass(frozen=True)
class Size:
    """Of a model, as far as it is known without loading it.

    Attributes:
        width: Entries of the residual stream.
        n_layers: Number of blocks.
        n_params: Number of parameters, roughly.
    """

    width: int
    n_layers: int
    n_params: int


def forecasts(jobs: Sequence[tuple[Job, RunSettings]]) -> list[StoreForecast]:
    """Activations that jobs need, each once: those that methods train on, and those of tasks that score a text.

    Prompts of the other tasks are not counted: they are few.
    """
    wanted: dict[tuple[str, str, str, int], str] = {}
    for job, settings in jobs:
        task = load_dictionary_task(job.task)
        if not task.model:
            continue
        if "train" in job.method.needs:
            wanted[job.model, job.hook or "", f"{settings.corpus}, train", settings.train_tokens] = settings.dtype
        tokens = getattr(task.settings, "tokens", None)
        if isinstance(tokens, int):
            tokens = tokens if settings.limit is None else min(tokens, settings.limit * settings.context)
            wanted[job.model, job.hook or "", f"{settings.corpus}, {settings.split}", tokens] = settings.dtype
    return [_forecast(*key, dtype) for key, dtype in wanted.items()]


def _forecast(model: str, hook: str, text: str, tokens: int, dtype: str) -> StoreForecast:
    size = model_size(model)
    if size is None:
        return StoreForecast(model, hook, text, tokens, None, None)
    points = [HookPoint.parse(name.strip()) for name in hook.split(TO)] if hook else [HookPoint(size.n_layers // 2)]
    itemsize = 8 if dtype == "float64" else 2 if dtype in {"float16", "bfloat16"} else 4
    share = min(1.0, (max(point.layer for point in points) + 1) / size.n_layers)
    hours = 2 * size.n_params * share * tokens / _speed() / 3600
    return StoreForecast(model, hook, text, tokens, tokens * size.width * itemsize * len(set(points)), hours)


def model_size(model: str) -> Size | None:
    """Size of a model by its reference; None where only loading it would tell."""
    spec = CATALOGUE.get(model)
    if spec is not None:
        return Size(spec.d_model, spec.n_layers, spec.n_params)
    if not is_folder(model):
        return None
    try:
        config = AutoConfig.from_pretrained(model, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError):  # loading it will say what is wrong
        return None
    n_params = sum(one.stat().st_size for one in Path(model).glob("*.safetensors")) // 4
    return Size(int(config.hidden_size), int(config.num_hidden_layers), n_params)


@cache
def _speed() -> float:
    """Floating-point operations a second of this machine, by one product of matrices; the default device's."""
    one = torch.ones(_TRIAL, _TRIAL)
    one @ one
    started = time.perf_counter()
    one @ one
    return 2 * _TRIAL**3 / (time.perf_counter() - started)
