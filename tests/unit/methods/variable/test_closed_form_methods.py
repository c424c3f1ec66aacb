"""The methods without training on a real, tiny model, whose answers are made the labels."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from planted_sites import row
from tiny_models import MAKERS, tiny_model

from mibench.core.sites import Component, Site
from mibench.engine.featurizers.edit import edit_of
from mibench.engine.interchange.options import SiteEdit
from mibench.engine.model import LanguageModel
from mibench.methods.method import METHODS
from mibench.methods.subspaces.samples import samples_of
from mibench.methods.variable.full_vector import full_vector
from mibench.methods.variable.plot import plot
from mibench.methods.variable_view import Ground, VariableView
from mibench.tasks.variable_parts import Training

NAMES = ("full-vector", "random-subspace", "pca", "mean-difference", "lda", "probe", "plot")
HEADS = (Site(0, "all", Component.HEAD, 1), Site(1, "all", Component.HEAD, 2))


@cache
def model(name: str) -> LanguageModel:
    return LanguageModel(tiny_model(name))


def rows(subject: LanguageModel, n: int = 12):
    """Rows whose value is the model's own answer, about prompts of two lengths."""
    generator = torch.Generator().manual_seed(2)
    found = []
    for place in range(n):
        length = 4 + place % 2
        base, source = torch.randint(1, 41, (2, length), generator=generator)
        answers = subject.hf(torch.stack([base, source])).logits[:, -1].argmax(-1).tolist()
        positions = {"first": (0,), "last": (length - 1,), "all": tuple(range(length))}
        found.append(
            row(
                place,
                str(answers[0] % 3),
                str(answers[1] % 3),
                base=tuple(base.tolist()),
                source=tuple(source.tolist()),
                base_positions=positions,
                source_positions=positions,
                accepted=((answers[1],),),
                base_accepted=((answers[0],),),
                source_accepted=((answers[1],),),
                cause=answers[0] != answers[1],
            )
        )
    return tuple(found)


def end(subject: LanguageModel) -> Site:
    """Where the whole answer is."""
    return Site(subject.anatomy.n_layers - 1, "last")


def view(name: str = "llama", **changes) -> VariableView:
    subject = model(name)
    given = rows(subject)
    groups = ((Site(0, "first"),), (Site(0, "last"),), (Site(1, "last", Component.MLP),), (end(subject),), HEADS)
    ground = Ground("own", name, "answer", groups, lambda width: width // 4, Training())
    return VariableView(subject, ground, given, given, **changes)


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_a_full_swap_at_the_end_gives_the_sources_answer_in_every_family(name):
    seen = view(name)
    (one,) = [one for one in full_vector.function(seen).sites if one.site == end(seen.model)]
    edit = edit_of(one, device=seen.model.device, dtype=seen.model.accumulate)
    outputs = seen.interchanges().run([(SiteEdit(one.site, edit),)])
    assert outputs.correct.all()
    assert not seen.interchanges().plain().correct.all()


def test_the_search_finds_that_place():
    seen = view()
    found = plot.function(seen, sites=1, parts=3)
    assert found.meta["mass"][0][0] == end(seen.model).name
    assert [one.site for one in found.sites] == [end(seen.model)]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_handed_in_can_be_used_and_is_the_same_each_time(name):
    method = METHODS.load(name)
    first, second = (method.function(view(seed=5), **method.parameters({})) for _ in range(2))
    first.validate()
    anatomy = view().model.anatomy
    first.check_model(anatomy.d_model, anatomy.head_dim, anatomy.n_layers, anatomy.n_heads)
    assert first.digest == second.digest
    assert first.meta == second.meta


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_matters_exactly_if_the_method_says_that_it_draws(name):
    method = METHODS.load(name)
    first, second = (method.function(view(seed=seed), **method.parameters({})) for seed in (0, 1))
    assert (first.digest != second.digest) == ("randomness" in method.needs)


@pytest.mark.parametrize("name", NAMES)
def test_it_sees_rows_exactly_if_it_says_so(name):
    method = METHODS.load(name)
    blind = VariableView(view().model, view().ground, seed=0)
    if "train" in method.needs:
        fewer = VariableView(view().model, view().ground, view().train[:8], view().validation[:8])
        found = [method.function(one, **method.parameters({})) for one in (fewer, view())]
        assert found[0].digest != found[1].digest or found[0].meta != found[1].meta
    else:
        assert method.function(blind, **method.parameters({})).digest == method.function(view()).digest


def test_samples_of_all_tokens_are_those_of_the_models_own_hidden_states():
    seen = view()
    site = Site(0, "all")
    ((_, samples),) = samples_of(seen, (site,))
    expected = sorted(
        tuple(np.round(vector, 9))
        for one in seen.train
        for ids in (one.base, one.source)
        for vector in seen.model.hf(torch.tensor([ids]), output_hidden_states=True).hidden_states[1][0].tolist()
    )
    assert np.abs(np.array(sorted(tuple(np.round(one, 9)) for one in samples.values)) - np.array(expected)).max() < 1e-8
    assert len(samples.classes) == len(samples.values)
