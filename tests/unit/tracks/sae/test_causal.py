"""The causal family on a network whose variables were put in by hand, and against interchanges by plain means."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from causal_family import PLACE, SETTINGS, evaluation, ground, network, orthogonal, planted_basis, rotated, subject
from core_family import linear
from planted.naive import swapped_logits
from planted.plan import VARIABLES
from planted.task import PLAN, register

from mibench.artifacts.dictionaries.dictionary import Place
from mibench.core.errors import ArtifactError, DataError, UsageError
from mibench.core.hook_points import HookKind, HookPoint
from mibench.core.sites import Site
from mibench.core.specs import Convention
from mibench.engine.interchange.interchanges import Interchanges
from mibench.engine.interchange.options import SiteEdit
from mibench.tasks.sae.causal import Controls
from mibench.tasks.sae.dictionary_task import load_dictionary_task
from mibench.tasks.variable_task import load_variable_task
from mibench.tracks.sae.causal import CausalEvaluation
from mibench.tracks.sae.evaluation import Scores

SITE = Site(3, "last")


@pytest.fixture(autouse=True)
def _planted(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)


@cache
def shared() -> CausalEvaluation:
    """The test split, prepared once for all dictionaries."""
    return evaluation()


@cache
def scored() -> dict[str, Scores]:
    """Scores of a dictionary of the planted directions, of a rotated one, and of the identity."""
    made = {"planted": planted_basis()[0], "rotated": rotated(), "identity": np.eye(PLAN.d_model)}
    return dict(zip(made, shared().score([subject(orthogonal(basis)) for basis in made.values()]), strict=True))


def value(scores: Scores, name: str) -> float:
    found = scores.metrics[name].value
    assert found is not None, scores.metrics[name].reason
    return found


def test_latents_that_are_the_variables_disentangle_them_and_rotated_ones_do_less() -> None:
    planted, turned = scored()["planted"], scored()["rotated"]
    assert value(planted, "disentangle_err") == value(planted, "cause_err") == value(planted, "isolate_err") == 1
    assert value(planted, "latents_swapped") == PLAN.k
    assert value(turned, "disentangle_err") < 0.9
    upper, lower = turned.metrics["disentangle_err"].ci_high, planted.metrics["disentangle_err"].ci_low
    assert upper is not None
    assert lower is not None
    assert upper < lower


def test_the_chosen_latents_are_those_of_the_variable() -> None:
    swapped = scored()["planted"].tables["swapped"]
    for variable, expected in planted_basis()[1].items():
        assert set(swapped[swapped["variable"] == variable]["latent"]) == set(expected)


def test_random_latents_and_doing_nothing_are_the_floor() -> None:
    planted = scored()["planted"]
    assert value(planted, "disentangle_noop") == 0.5
    assert value(planted, "disentangle_random_latents") == pytest.approx(0.5, abs=0.1)
    floor = planted.metrics["disentangle_err"].floor
    assert floor == max(0.5, value(planted, "disentangle_random_latents"))
    gap = value(planted, "disentangle_err") - value(planted, "disentangle_random_latents")
    assert value(planted, "disentangle_gap_random") == pytest.approx(gap)


@pytest.mark.parametrize("name", ["planted", "rotated", "identity"])
def test_all_latents_of_a_complete_dictionary_are_the_whole_activation(name: str) -> None:
    examples = scored()[name].tables["examples"]
    assert examples["all_latents"].tolist() == examples["full_vector"].astype(float).tolist()
    assert value(scored()[name], "explained_variance_rows") == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("variable", VARIABLES)
def test_full_vector_swaps_score_as_in_the_variable_track_and_as_with_plain_hooks(variable: str) -> None:
    known, task = network(), load_variable_task("planted")
    encoder = known.encoder
    assert encoder is not None
    rows = task.encoded("test", None, variable, encoder, PLAN.vocab_size, positions=("last",)).rows
    runs = Interchanges(known.model, rows).run([(SiteEdit(SITE, lambda _, source: source),)])
    examples = scored()["identity"].tables["examples"]
    ours = examples[examples["variable"] == variable]
    assert list(zip(ours["set"], ours["example"], strict=True)) == [(row.set, row.id) for row in rows]
    assert ours["full_vector"].tolist() == ours["all_latents"].astype(bool).tolist() == runs.correct[0].tolist()
    greedy = swapped_logits(known.model.hf, rows, SITE, None).argmax(-1)
    assert ours["full_vector"].tolist() == [(token,) in row.accepted for token, row in zip(greedy, rows, strict=True)]


def test_chosen_latents_do_what_hooks_with_their_subspace_do() -> None:
    known, task = network(), load_variable_task("planted")
    examples, swapped = (scored()["rotated"].tables[name] for name in ("examples", "swapped"))
    assert known.encoder is not None
    for variable in VARIABLES:
        rows = task.encoded("test", None, variable, known.encoder, PLAN.vocab_size, positions=("last",)).rows
        basis = rotated()[:, swapped[swapped["variable"] == variable]["latent"]]
        greedy = swapped_logits(known.model.hf, rows, SITE, basis).argmax(-1)
        expected = [float((token,) in row.accepted) for token, row in zip(greedy, rows, strict=True)]
        assert examples[examples["variable"] == variable]["correct"].tolist() == expected


def test_the_error_term_keeps_what_a_dictionary_does_not_reconstruct() -> None:
    basis, where = planted_basis()
    kept = basis[:, where["a"]]
    (scores,) = shared().score([subject(linear(kept, kept.T, np.zeros(len(basis)), PLACE))])
    assert value(scores, "explained_variance_rows") < 0.9
    assert value(scores, "disentangle_err:a") == 1
    assert value(scores, "cause_err:b") == 0
    examples = scores.tables["examples"]
    assert examples[examples["variable"] == "a"]["no_error"].mean() < 0.5


def test_the_order_of_latents_does_not_matter() -> None:
    basis = rotated()
    order = np.random.default_rng(1).permutation(basis.shape[1])
    (moved,) = shared().score([subject(orthogonal(basis[:, order]))])
    known = scored()["rotated"]
    names = ("disentangle_err", "cause_err", "isolate_err", "latents_swapped")
    assert [value(moved, name) for name in names] == [value(known, name) for name in names]


def test_a_mask_can_be_trained_instead() -> None:
    (scores,) = evaluation(replace(SETTINGS, select="mask")).score([subject(orthogonal(planted_basis()[0]))])
    assert value(scores, "disentangle_err") > 0.95
    assert scores.tables["selection"]["candidate"].unique().tolist() == ["mask, price 0.01"]
    swapped = scores.tables["swapped"]
    for variable, expected in planted_basis()[1].items():
        assert set(expected) <= set(swapped[swapped["variable"] == variable]["latent"])


def test_the_oracle_is_a_trained_subspace_where_validation_prefers_it() -> None:
    settings = replace(SETTINGS, controls=Controls(sizes=(0,), epochs=6, draws=1))
    (scores,) = evaluation(settings).score([subject(orthogonal(rotated()))])
    assert value(scores, "disentangle_oracle") > 0.95
    normal, ends = value(scores, "disentangle_err_normalised"), scores.metrics["disentangle_err"]
    assert ends.floor is not None
    assert ends.ceiling is not None
    assert normal == pytest.approx((value(scores, "disentangle_err") - ends.floor) / (ends.ceiling - ends.floor))


def test_the_same_seed_gives_the_same_tables() -> None:
    again = evaluation().score([subject(orthogonal(rotated()))])[0]
    for name, table in scored()["rotated"].tables.items():
        assert table.equals(again.tables[name]), name
    assert again.metrics == scored()["rotated"].metrics


def test_a_dictionary_without_latents_that_differ_swaps_nothing() -> None:
    zeros = np.zeros((PLAN.d_model, 4))
    (scores,) = shared().score([subject(linear(zeros, zeros.T, np.zeros(PLAN.d_model), PLACE))])
    assert value(scores, "cause_err") == value(scores, "latents_swapped") == 0
    assert value(scores, "isolate_err") == 1
    assert value(scores, "disentangle_random_latents") == 0.5


def test_saebench_names_have_no_error_term_and_a_mask_of_its_recipe() -> None:
    (scores,) = evaluation(convention=Convention.SAEBENCH).score([subject(orthogonal(planted_basis()[0]))])
    assert set(scores.metrics) == {"disentanglement_score", "cause_score", "isolation_score"}
    assert value(scores, "disentanglement_score") > 0.5
    examples = scores.tables["examples"]
    rates = examples.groupby(["variable", "cause"])["no_error"].mean().groupby("cause").mean()
    assert (value(scores, "isolation_score"), value(scores, "cause_score")) == pytest.approx(tuple(rates))


def test_where_validation_is_scored_latents_are_chosen_on_train_alone() -> None:
    (scores,) = evaluation(split="validation", limit=20).score([subject(orthogonal(planted_basis()[0]))])
    assert set(scores.tables["attrition"]["split"]) == {"train", "validation"}
    assert len(scores.tables["examples"]) == 2 * 3 * 20
    assert value(scores, "disentangle_err") == 1


def test_the_digest_is_of_rows_settings_and_seed_and_runs_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        pytest.fail("the model was run")

    monkeypatch.setattr(network().model.hf, "forward", refuse)
    digests = [
        evaluation().digest,
        evaluation(seed=1).digest,
        evaluation(split="validation").digest,
        evaluation(limit=3).digest,
        evaluation(replace(SETTINGS, position="a")).digest,
    ]
    assert len(set(digests)) == len(digests)
    assert evaluation().digest == digests[0]
    assert evaluation().n_examples == 3 * 48
    assert evaluation(limit=3).n_examples == 9


def test_progress_is_told_of_every_dictionary_and_variable() -> None:
    prepared: list[tuple[int, int]] = []
    told: list[tuple[int, int]] = []
    watched = evaluation(limit=5, progress=lambda done, total: prepared.append((done, total)))
    watched.score([subject(orthogonal(rotated()))] * 2, lambda done, total: told.append((done, total)))
    assert prepared == [(0, 2), (1, 2), (2, 2)]
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(
    ("changes", "error", "why"),
    [
        ({"place": Place("planted", HookPoint(3, HookKind.MLP_OUT))}, DataError, "residual stream"),
        ({"place": Place("planted", HookPoint(3), HookPoint(4))}, DataError, "writes residual-post.L4"),
        ({"place": Place("planted", HookPoint(9))}, DataError, "5 layers"),
        ({"network": None}, UsageError, "None was given"),
        ({"convention": Convention.MIB}, UsageError, "MIB does not"),
        ({"split": "train"}, UsageError, "chosen on train"),
    ],
)
def test_what_cannot_be_scored_is_refused_before_anything_runs(
    changes: dict[str, Any], error: type[Exception], why: str
) -> None:
    with pytest.raises(error) as told:
        evaluation(**changes)
    assert why in str(told.value)


def test_a_model_without_a_tokenizer_and_a_dictionary_of_another_width_are_refused() -> None:
    with pytest.raises(UsageError) as told:
        evaluation(network=replace(network(), encoder=None))
    assert "no tokenizer" in str(told.value)
    with pytest.raises(ArtifactError) as wide:
        shared().score([subject(orthogonal(np.eye(PLAN.d_model + 1)))])
    assert "33" in str(wide.value)


@pytest.mark.parametrize("change", [{"variables": ("a", "c")}, {"position": "middle"}, {"task": "nothing"}])
def test_unknown_names_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        evaluation(replace(SETTINGS, **change))


def test_rows_with_a_linear_target_are_refused() -> None:
    with pytest.raises(DataError) as told:
        evaluation(replace(SETTINGS, task="ioi", variables=("output_token",), position="last"))
    assert "not judged as tokens" in str(told.value)


def test_the_registered_task_is_about_cities() -> None:
    task = load_dictionary_task("sae-causal")
    assert task.family == "causal"
    rows = load_variable_task(task.settings.task)
    assert set(task.settings.variables) == set(rows.variables)
    assert rows.position(task.settings.position).name == task.settings.position
    assert ground().split in task.splits


def test_no_city_and_no_template_of_the_rows_is_in_two_splits() -> None:
    rows = load_variable_task("ravel")
    names: dict[str, set[str]] = {}
    for split in ("train", "validation", "test"):
        found = [group for row in rows.rows(split) for group in (row.base, row.source)]
        names[split] = {one["entity"][0] for one in found} | {one["template"] for one in found}
    assert not names["train"] & names["test"]
    assert not names["validation"] & (names["train"] | names["test"])
