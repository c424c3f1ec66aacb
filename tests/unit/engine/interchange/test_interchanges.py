"""Interventions do what plain hooks on the transformers modules do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hooked import (
    EXACT,
    FAMILIES,
    HEAD,
    MLP,
    PRE,
    Hooked,
    engine,
    identity,
    joint_sites,
    made_rows,
    one,
    single_sites,
)
from tiny_models import tiny_model

from mibench.core.errors import DataError, MethodError, UsageError
from mibench.core.sites import Site
from mibench.engine.interchange import suffix
from mibench.engine.interchange.interchanges import Interchanges, base_plain, source_plain
from mibench.engine.interchange.options import InterchangeOptions, Intervention, SiteEdit
from mibench.engine.interchange.outputs import Outputs
from mibench.engine.model import LanguageModel
from mibench.tasks.interchange import EncodedInterchange


def naive(
    name: str, rows: list[EncodedInterchange], interventions: list[Intervention], *, judged: bool = True
) -> Outputs:
    """What hooks give; unless ``judged``, nothing is correct."""
    hooked, shape = Hooked(name), (len(interventions), len(rows))
    found = Outputs(np.zeros(shape, dtype=bool), np.full(shape, np.nan), np.full(shape, np.nan))
    for place, intervention in enumerate(interventions):
        for number, row in enumerate(rows):
            with torch.no_grad():
                logits = hooked.logits(row, intervention, row.label[:-1])[len(row.base) - 1 :]
            logprobs = logits.log_softmax(-1)
            found.label_logprob[place, number] = sum(
                float(logprobs[step, token]) for step, token in enumerate(row.label)
            )
            if row.target is not None:
                found.contrast[place, number] = float(logits[0, row.target.tokens[0]] - logits[0, row.target.tokens[1]])
            if not judged:
                continue
            longest = max(len(answer) for answer in row.accepted)
            said = hooked.greedy(row, intervention, longest)
            found.correct[place, number] = any(said[: len(answer)] == answer for answer in row.accepted)
    return found


def same(found: Outputs, expected: Outputs, tolerance: float = 1e-9) -> None:
    np.testing.assert_allclose(found.label_logprob, expected.label_logprob, rtol=0, atol=tolerance)
    np.testing.assert_allclose(found.contrast, expected.contrast, rtol=0, atol=tolerance)
    np.testing.assert_array_equal(found.correct, expected.correct)


def answerable(name: str, rows: list[EncodedInterchange], intervention: Intervention) -> list[EncodedInterchange]:
    """The rows with answers that the intervened model gives, or gives up to the last token, or never."""
    hooked, made = Hooked(name), []
    for place, row in enumerate(rows):
        said = hooked.greedy(row, intervention, 3)
        other = tuple((token + 1) % 41 for token in said)
        near = (*said[:1], other[1])
        accepted = [(said[:2], other), (other[:1], said), (near, said[:2]), (near, other[:1]), ((*said[:2], other[2]),)]
        made.append(replace(row, accepted=accepted[place % len(accepted)]))
    return made


@pytest.mark.parametrize("name", FAMILIES)
def test_every_component_alone_and_joint_gives_what_hooks_give(name: str) -> None:
    model, rows = engine(name), made_rows()
    interventions = [*single_sites(model, ("last", "middle", "span", "first")), *joint_sites(model), ()]
    found, expected = Interchanges(model, rows).run(interventions), naive(name, rows, interventions, judged=False)
    np.testing.assert_allclose(found.label_logprob, expected.label_logprob, **EXACT)
    np.testing.assert_allclose(found.contrast, expected.contrast, **EXACT)


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_an_answer_is_right_if_greedy_decoding_gives_one_that_is_accepted(name: str) -> None:
    model = engine(name)
    interventions = [joint_sites(model)[0], one(0, "middle"), one(2, "last", MLP)]
    for place in (0, 1):
        rows = answerable(name, made_rows(), interventions[place])
        expected = naive(name, rows, interventions)
        assert 0.1 < expected.correct.mean() < 0.9
        same(Interchanges(model, rows).run(interventions), expected)


@pytest.mark.parametrize("name", FAMILIES)
def test_all_tokens_at_once_give_what_hooks_give(name: str) -> None:
    model, rows = engine(name), made_rows(equal=True)
    interventions = [
        *single_sites(model, ("all",))[::3],
        one(0, "all", HEAD, 1) + one(1, "all", MLP) + one(1, "last"),
    ]
    found, expected = Interchanges(model, rows).run(interventions), naive(name, rows, interventions, judged=False)
    np.testing.assert_allclose(found.label_logprob, expected.label_logprob, **EXACT)


@pytest.mark.parametrize("name", ["gpt2", "gemma2"])
def test_an_identity_edit_gives_the_plain_answers(name: str) -> None:
    model, rows = engine(name), made_rows()
    runs = Interchanges(model, rows)
    plain = runs.plain()
    assert plain.correct.shape == plain.contrast.shape == (1, len(rows))
    same(plain, naive(name, rows, [()]))
    found = runs.run([one(layer, "middle", component, edit=identity) for layer in range(3) for component in (PRE, MLP)])
    np.testing.assert_allclose(found.label_logprob, np.repeat(plain.label_logprob, 6, 0), **EXACT)


@pytest.mark.parametrize("name", ["gpt2", "llama", "gemma2"])
def test_batches_and_stacks_change_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, rows = engine(name), made_rows()
    interventions = [*single_sites(model, ("last", "middle", "span"))[::2], *joint_sites(model)[1:3], ()]
    alone = [Interchanges(model, [row]) for row in rows]
    expected = np.array([[runs.run([each]).label_logprob[0, 0] for runs in alone] for each in interventions])
    for fold, batch_size, batch_tokens in ((0, 1, 1), (10**6, 3, 25), (10**6, 20, 10**6), (0, 20, 60)):
        monkeypatch.setattr(suffix, "FOLD", fold)
        options = InterchangeOptions(batch_size=batch_size, batch_tokens=batch_tokens)
        found = Interchanges(model, rows, options).run(interventions)
        np.testing.assert_allclose(found.label_logprob, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["gpt2", "gemma2", "gpt_neox", "mistral"])
@pytest.mark.parametrize("batch_tokens", [1, 200])
def test_generated_answers_are_those_of_hooks_without_a_cache(name: str, batch_tokens: int) -> None:
    model, rows, hooked, heard = engine(name), made_rows(), Hooked(name), []
    rows = [replace(row, expected=place) for place, row in enumerate(rows)]

    def accepts(text: str, expected: int) -> bool:
        heard.append((expected, text))
        return len(text) % 2 == 0

    options = InterchangeOptions(
        batch_tokens=batch_tokens,
        new_tokens=4,
        decode=lambda ids: " ".join(str(token) for token in ids),
        accepts=accepts,
    )
    interventions = [
        one(0, "middle"),
        one(1, "last", MLP),
        one(1, "span", HEAD, 1) + one(1, "last"),
        one(0, "last"),
        (),
    ]
    found = Interchanges(model, rows, options).run(interventions)
    ends = {model.hf.config.eos_token_id}
    for number, row in enumerate(rows):
        said = [_until(hooked.greedy(row, each, 4), ends) for each in interventions]
        assert sorted(text for expected, text in heard if expected == number) == sorted(said)
        np.testing.assert_array_equal(found.correct[:, number], [len(text) % 2 == 0 for text in said])
    plain = Interchanges(model, rows).run(interventions)
    np.testing.assert_allclose(found.label_logprob, plain.label_logprob, **EXACT)


def _until(said: tuple[int, ...], ends: set[int | None]) -> str:
    end = next((place for place, token in enumerate(said) if token in ends), len(said))
    return " ".join(str(token) for token in said[:end])


def test_generation_stops_at_the_models_end_token(monkeypatch: pytest.MonkeyPatch) -> None:
    model, row, heard = engine("llama"), made_rows()[0], []
    said = Hooked("llama").greedy(row, (), 4)
    monkeypatch.setattr(model.hf.generation_config, "eos_token_id", [said[2]])
    options = InterchangeOptions(
        new_tokens=4, decode=lambda ids: str(list(ids)), accepts=lambda text, _: heard.append(text) or True
    )
    Interchanges(model, [row], options).plain()
    assert heard == [str(list(said[: said.index(said[2])]))]


@pytest.mark.parametrize("name", ["gpt2", "gpt_neox"])
def test_activations_are_those_that_hooks_read(name: str) -> None:
    model, rows, hooked = engine(name), made_rows(), Hooked(name)
    sites = [each[0].site for each in single_sites(model, ("last", "middle"))]
    runs = Interchanges(model, rows, InterchangeOptions(batch_size=2))
    sources, bases = runs.sources(sites), runs.bases(sites)
    for site in sites:
        for number, row in enumerate(rows):
            at = (row.source_positions[site.position], row.base_positions[site.position])
            np.testing.assert_allclose(sources[site][number], hooked.activations(row.source, site, at[0]), **EXACT)
            np.testing.assert_allclose(bases[site][number], hooked.activations(row.base, site, at[1]), **EXACT)


def test_activations_with_unequally_many_tokens_are_refused_as_one_tensor() -> None:
    with pytest.raises(DataError, match="2 to 3 tokens"):
        Interchanges(engine("gpt2"), made_rows()).sources([Site(0, "span")])


def test_kept_bases_are_run_once_for_all_calls() -> None:
    rows, counter, model = [replace(row, accepted=(row.label,)) for row in made_rows()], Counted(), engine("llama")
    runs, interventions = Interchanges(model, rows, InterchangeOptions(batch_size=3), counter), joint_sites(model)
    runs.keep()
    for _ in range(5):
        same(runs.plain(), Interchanges(model, rows).plain())
    assert counter.passes == len(rows)
    same(runs.run(interventions), Interchanges(model, rows).run(interventions))


class Counted:
    def __init__(self) -> None:
        self.passes, self.backwards = 0, 0

    def forward(self, examples: int) -> None:
        self.passes += examples

    def backward(self, examples: int) -> None:
        self.backwards += examples


def test_a_resumed_run_counts_as_the_layers_and_tokens_that_it_computes() -> None:
    rows = [replace(row, accepted=(row.label[:1],)) for row in made_rows()[2:3] * 40]
    model, counter, reports = engine("gpt2"), Counted(), []
    runs = Interchanges(model, rows, InterchangeOptions(), counter, lambda done, total: reports.append((done, total)))
    runs.run([one(0, "last"), one(1, "first")])
    # Sources, bases, two of three layers at one of eleven tokens, one of three layers at all.
    assert counter.passes == int(40 + 40 + 40 * 2 / 3 / 11 + 40 / 3)
    assert reports[-1] == (80, 80)
    before = counter.passes
    (batch,) = runs.minibatches(40, torch.Generator())
    batch.logits(one(1, "first"))
    assert counter.passes - before in (40 + 13, 40 + 14)
    assert counter.backwards == 13


def test_the_model_by_itself_is_judged_on_bases_and_on_sources() -> None:
    name = "qwen2"
    model, hooked = engine(name), Hooked(name)
    rows = [
        replace(
            row,
            base_accepted=(hooked.greedy(row, (), 2),) if place % 2 else ((40, 40),),
            source_accepted=[(hooked.greedy(replace(row, base=row.source), (), 3),), ((40,),), ()][place % 3],
        )
        for place, row in enumerate(made_rows())
    ]
    np.testing.assert_array_equal(base_plain(model, rows), [place % 2 == 1 for place in range(len(rows))])
    np.testing.assert_array_equal(source_plain(model, rows), [place % 3 != 1 for place in range(len(rows))])


def test_edits_of_half_precision_models_work_in_the_accumulating_type() -> None:
    model, rows, types = LanguageModel(tiny_model("llama", torch.bfloat16)), made_rows(), set()

    def edit(base: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
        types.update((base.dtype, source.dtype))
        return base

    runs = Interchanges(model, rows)
    found = runs.run([one(1, "middle", edit=edit)])
    assert types == {torch.float32}
    np.testing.assert_allclose(found.label_logprob, runs.plain().label_logprob, rtol=0.1)


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_size": 0},
        {"batch_tokens": 0},
        {"new_tokens": 0, "decode": str, "accepts": bool},
        {"new_tokens": 1},
        {"new_tokens": 1, "decode": str},
    ],
)
def test_options_that_mean_nothing_are_refused(changes: dict) -> None:
    with pytest.raises(UsageError):
        InterchangeOptions(**changes)


@pytest.mark.parametrize(
    "site", [Site(3, "last"), Site(0, "last", HEAD, 4), Site(0, "last", HEAD), Site(0, "last", MLP, 1)]
)
def test_sites_that_the_model_has_not_are_refused(site: Site) -> None:
    with pytest.raises(DataError, match="no site"):
        Interchanges(engine("gpt2"), made_rows()).run([(SiteEdit(site, identity),)])


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"base_positions": {}}, "no usable position"),
        ({"base_positions": {"last": (9,)}}, "no usable position"),
        ({"source_positions": {"last": (3, 4)}}, "1 and 2 tokens"),
    ],
)
def test_rows_with_positions_that_do_not_fit_are_refused(changes: dict, match: str) -> None:
    rows = [replace(made_rows()[0], **changes)]
    with pytest.raises(DataError, match=match):
        Interchanges(engine("gpt2"), rows).run([one(0, "last")])


def test_an_edit_that_gives_another_shape_is_refused() -> None:
    with pytest.raises(MethodError, match="gave shape"):
        Interchanges(engine("gpt2"), made_rows()).run([one(0, "last", edit=lambda base, source: base[..., :1])])
