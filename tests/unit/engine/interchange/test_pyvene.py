"""Interchange interventions give what pyvene gives: its stored logits, and where it is installed, itself."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from golden_data import golden_model
from pyvene_cases import CASES, MODELS, PLACES, Case, golden_logits, prompts, pyvene_logits, rotation

from mibench.artifacts.featurizers.featurizers import SiteFeaturizer
from mibench.artifacts.featurizers.operation import Operation
from mibench.core.sites import Component, Site
from mibench.engine.featurizers.edit import edit_of
from mibench.engine.interchange.interchanges import Interchanges
from mibench.engine.interchange.options import InterchangeOptions, Intervention, SiteEdit
from mibench.engine.model import LanguageModel
from mibench.tasks.interchange import EncodedInterchange, LinearTarget

NEAR = {"rtol": 0, "atol": 1e-5}


@cache
def engine(name: str) -> LanguageModel:
    return LanguageModel(golden_model(name))


def rows_of(base: np.ndarray, source: np.ndarray, labels: np.ndarray) -> list[EncodedInterchange]:
    """One row a prompt; its label is the first of ``labels [rows, 3]``, the other two are contrasted."""
    return [
        EncodedInterchange(
            id=str(place),
            set="all",
            base=tuple(base[place].tolist()),
            source=tuple(source[place].tolist()),
            base_positions={name: tokens for name, (tokens, _) in PLACES.items()},
            source_positions={name: tokens for name, (_, tokens) in PLACES.items()},
            accepted=((int(label),),),
            base_accepted=((int(label),),),
            source_accepted=(),
            cause=True,
            target=LinearTarget((int(first), int(second)), (1.0,), (1.0,)),
        )
        for place, (label, first, second) in enumerate(labels)
    ]


def intervention(model: LanguageModel, case: Case) -> Intervention:
    return tuple(SiteEdit(site, edit(model, site, k)) for site, k in case.sites)


def edit(model: LanguageModel, site: Site, k: int):
    width = model.anatomy.head_dim if site.component is Component.HEAD else model.anatomy.d_model
    operation = Operation("orthogonal", {"rotation": rotation(site, k, width)}) if k else Operation("identity")
    featurizer = SiteFeaturizer(site, (operation,), "all")
    return edit_of(featurizer, device=model.device, dtype=model.accumulate)


def case_rows(name: str, case: Case) -> tuple[list[EncodedInterchange], np.ndarray]:
    """Rows with labels of their own: half of them what pyvene's logits favour, so that both answers are seen."""
    base, source = prompts(name)
    logits = golden_logits(name)[case.name]
    labels = np.random.default_rng(len(case.name)).integers(0, logits.shape[1], (len(base), 3))
    labels[::2, 0] = logits[::2].argmax(-1)
    return rows_of(base, source, labels), labels


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("name", MODELS)
def test_judged_answers_are_those_of_pyvenes_logits(name: str, case: Case) -> None:
    rows, labels = case_rows(name, case)
    model, logits = engine(name), golden_logits(name)[case.name]
    found = Interchanges(model, rows, InterchangeOptions(batch_size=4)).run([intervention(model, case)])
    every = np.arange(len(rows))
    logprobs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    np.testing.assert_allclose(found.label_logprob[0], logprobs[every, labels[:, 0]], **NEAR)
    np.testing.assert_allclose(found.contrast[0], logits[every, labels[:, 1]] - logits[every, labels[:, 2]], **NEAR)
    np.testing.assert_array_equal(found.correct[0], logits.argmax(-1) == labels[:, 0])


@pytest.mark.parametrize("name", MODELS)
def test_all_interventions_in_one_sweep_give_the_same_as_pyvene_one_by_one(name: str) -> None:
    base, source = prompts(name)
    model, labels = engine(name), np.random.default_rng(0).integers(0, 50, (len(base), 3))
    rows = rows_of(base, source, labels)
    found = Interchanges(model, rows, InterchangeOptions()).run([intervention(model, case) for case in CASES])
    for place, case in enumerate(CASES):
        logits = golden_logits(name)[case.name]
        contrast = np.take_along_axis(logits, labels[:, 1:2], 1) - np.take_along_axis(logits, labels[:, 2:], 1)
        np.testing.assert_allclose(found.contrast[place], contrast[:, 0], err_msg=case.name, **NEAR)


@pytest.mark.parametrize("name", MODELS)
def test_logits_that_are_trained_on_are_pyvenes(name: str) -> None:
    base, source = prompts(name)
    model = engine(name)
    rows = rows_of(base, source, np.zeros((len(base), 3), dtype=int))
    runs = Interchanges(model, rows, InterchangeOptions())
    for case in CASES:
        for batch in runs.minibatches(4, torch.Generator().manual_seed(1)):
            logits = batch.logits(intervention(model, case))[:, 0].detach().numpy()
            np.testing.assert_allclose(logits, golden_logits(name)[case.name][batch.rows], err_msg=case.name, **NEAR)


@pytest.mark.parametrize("name", MODELS)
def test_doing_nothing_gives_the_models_own_logits(name: str) -> None:
    base, source = prompts(name)
    labels = np.random.default_rng(3).integers(0, 50, (len(base), 3))
    rows = rows_of(base, source, labels)
    found = Interchanges(engine(name), rows, InterchangeOptions()).plain()
    logits = golden_logits(name)["plain"]
    every = np.arange(len(rows))
    np.testing.assert_allclose(found.contrast[0], logits[every, labels[:, 1]] - logits[every, labels[:, 2]], **NEAR)


@pytest.mark.parametrize("name", MODELS)
def test_every_case_changes_the_logits(name: str) -> None:
    stored = golden_logits(name)
    assert set(stored) == {"plain", *(case.name for case in CASES)}
    assert min(np.abs(stored[case.name] - stored["plain"]).max() for case in CASES) > 0.1


@pytest.mark.parametrize("name", MODELS)
def test_pyvene_itself_agrees_on_fresh_prompts(name: str) -> None:
    pytest.importorskip("pyvene", reason="pip install --no-deps pyvene==0.1.8")
    rng = np.random.default_rng(11)
    base, source = (rng.permuted(ids, axis=1) for ids in prompts(name))
    model = engine(name)
    rows = rows_of(base, source, np.zeros((len(base), 3), dtype=int))
    runs = Interchanges(model, rows, InterchangeOptions())
    [batch] = runs.minibatches(len(rows), torch.Generator().manual_seed(0))
    for case in CASES[::3]:
        theirs = pyvene_logits(golden_model(name).eval(), case, base, source)[batch.rows]
        ours = batch.logits(intervention(model, case))[:, 0].detach().numpy()
        np.testing.assert_allclose(ours, theirs, err_msg=case.name, **NEAR)
