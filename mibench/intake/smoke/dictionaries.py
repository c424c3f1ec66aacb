"""Dictionaries on a few contexts: do they reconstruct anything, and what is read at the right layer?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from mibench.artifacts.dictionaries.dictionary import Dictionary, Place
from mibench.core.errors import DataError
from mibench.engine.activations.capture import read
from mibench.engine.dictionaries.coder import Coder
from mibench.intake.smoke.verdict import RESAMPLING, Measured, Own, Variant, below_floor, cause
from mibench.metrics.bootstrap import resampled_means
from mibench.runner.cells.workbench import Workbench
from mibench.runner.handed_in.dictionaries import on_model
from mibench.runner.settings import RunSettings
from mibench.tasks.corpora.blocks import TokenBlocks, token_blocks
from mibench.tasks.corpora.load import load_corpus
from mibench.tasks.sae.dictionary_task import load_dictionary_task
from mibench.tasks.synthetic.truth import make_truth
from mibench.tracks.sae.core import MASSIVE
from mibench.tracks.sae.known_samples import drawn
from mibench.tracks.sae.synthetic_source import VALIDATION

_SHIFTS = {
    1: ("with what is read one layer later", "Layers are counted from 0: is your hook one too low?"),
    -1: ("with what is read one layer earlier", "Layers are counted from 0: is your hook one too high?"),
}


def dictionary_warning(found: Dictionary, bench: Workbench, task: str, rows: int) -> str | None:
    """Reconstruct activations of validation text, where the dictionary reads and a layer beside.

    The score is the explained variance of tokens that are not massive, ``1 − Σ|x − x̂|² / Σ|x − x̄|²``.

    Args:
        found: The artifact.
        bench: Its model.
        task: The task.
        rows: Contexts.

    Raises:
        MibenchError: The text is not here, or cannot be used with the model.
    """
    found = on_model(found, bench, task)
    blocks, places = _text(bench, rows), {0: found.place}
    for by in _SHIFTS:
        if min(found.place.hook.layer, found.place.target.layer) + by < 0:
            continue
        if max(found.place.hook.layer, found.place.target.layer) + by < bench.model.anatomy.n_layers:
            places[by] = _moved(found.place, by)
    points = [point for place in places.values() for point in (place.hook, place.target)]
    activations = read(bench.model, torch.tensor(blocks.ids, dtype=torch.long), points)
    coder = Coder(found, device=bench.device, dtype=bench.accumulate)
    scored = torch.tensor(blocks.scored, device=bench.device)
    scores = {
        by: _explained(coder, activations[place.hook], activations[place.target], scored)
        for by, place in places.items()
    }
    tried = [Variant(*_SHIFTS[by], scores[by]) for by in _SHIFTS if by in scores]
    own = _own(scores[0], f"{len(blocks)} validation contexts of {blocks.corpus}", len(blocks))
    return cause(own, tried) or below_floor(own)


def generated_warning(found: Dictionary, task: str, rows: int) -> str | None:
    """Reconstruct samples of generated data.

    Args:
        found: The artifact.
        task: The task.
        rows: Samples.
    """
    truth = make_truth(load_dictionary_task(task).settings.recipe)
    x = torch.tensor(np.concatenate([one.x for one in drawn(truth, rows, (VALIDATION, 0))]))[:, None]
    coder = Coder(found, device=x.device, dtype=x.dtype)
    scored = torch.ones(x.shape[:2], dtype=torch.bool)
    return below_floor(_own(_explained(coder, x, x, scored), f"{rows} validation samples of {task}", rows))


def _own(measured: Measured, rows: str, n: int) -> Own:
    return Own(measured, 1.0, 0.0, "better than the mean activation (0)", "explained variance", rows, n)


def _text(bench: Workbench, rows: int) -> TokenBlocks:
    if bench.hf.tokenizer is None:
        why = f"{bench.hf.name} has no tokenizer."
        raise DataError("There is no text to score on.", why=why, do="Use a model with one.")
    own = RunSettings.model_validate({})
    longest = getattr(bench.hf.model.config, "max_position_embeddings", None) or own.context
    context = min(own.context, int(longest))
    corpus = load_corpus(own.corpus)
    tokens = rows * context
    blocks = token_blocks(corpus, "validation", bench.hf.tokenizer, context=context, bos=own.bos, tokens=tokens)
    return blocks.first(rows)


def _moved(place: Place, by: int) -> Place:
    output = None if place.output is None else replace(place.output, layer=place.output.layer + by)
    return replace(place, hook=replace(place.hook, layer=place.hook.layer + by), output=output)


def _explained(coder: Coder, inputs: Tensor, wanted: Tensor, scored: Tensor) -> Measured:
    """Explained variance of tokens ``[rows, pos]`` that are scored and not massive, rows resampled."""
    norms = wanted.to(torch.float64).norm(dim=-1)
    kept = (scored & (norms <= MASSIVE * norms[scored].median())).to(torch.float64)
    wanted = wanted.to(torch.float64)
    with torch.no_grad():
        rebuilt = coder.reconstruct(inputs).to(torch.float64)
    mean = (wanted * kept[..., None]).sum((0, 1)) / kept.sum()
    error, spread = (
        ((wanted - other).square().sum(-1) * kept).sum(-1).cpu().numpy() for other in (rebuilt, mean.expand_as(wanted))
    )
    means = np.vstack([[error.mean(), spread.mean()], resampled_means(np.column_stack([error, spread]), RESAMPLING)])
    with np.errstate(invalid="ignore", divide="ignore"):
        values = 1 - means[:, 0] / means[:, 1]
    return Measured(float(values[0]), values[1:])
