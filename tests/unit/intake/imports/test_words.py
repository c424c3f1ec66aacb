"""Names of folders: what they mean, and when they mean several things."""

from __future__ import annotations

import pytest

from mibench.core.errors import UsageError
from mibench.core.specs import Ranking, Track
from mibench.intake.cells import TASKS
from mibench.intake.imports.items import Answers, Found, Item, Said, settle
from mibench.intake.imports.series import grouped, is_ranking_folder
from mibench.intake.imports.words import _MODELS, _TASKS, in_names, key_of, seed_of
from mibench.models.catalogue import CATALOGUE


def values(place, key):
    return [one.value for one in in_names(place, key)]


@pytest.mark.parametrize(
    ("place", "task", "model"),
    [
        ("ioi_gpt2/x.json", ["mib/ioi"], ["gpt2"]),
        ("ioi_gpt2-small", ["mib/ioi"], ["gpt2"]),
        ("arc-easy_llama3/importances.pt", ["mib/arc-easy"], ["llama-3.1-8b"]),
        ("arc_easy_llama3", ["mib/arc-easy"], ["llama-3.1-8b"]),
        ("gemma2_arc_challenge", ["mib/arc-challenge"], ["gemma-2-2b"]),
        ("mcqa_qwen2.5", ["mib/mcqa"], ["qwen2.5-0.5b"]),
        ("mcqa_Qwen2.5-0.5B", ["mib/mcqa"], ["qwen2.5-0.5b"]),
        ("arithmetic-addition_llama3", ["mib/arithmetic-addition"], ["llama-3.1-8b"]),
        ("ioi_interpbench", ["mib/ioi"], ["interpbench"]),
        ("mib/ioi/llama-3.1-8b-instruct/x", ["mib/ioi"], ["llama-3.1-8b-instruct"]),
        ("greater-than_gpt2", ["greater-than"], ["gpt2"]),
        ("planted-induction_planted-induction-gpt2", ["planted-induction"], ["planted-induction-gpt2"]),
        ("ioi_gpt2/mcqa_gemma2", ["mib/mcqa"], ["gemma-2-2b"]),
        ("ioi_gpt2/abs-true/circuit.json", ["mib/ioi"], ["gpt2"]),
        (
            "arithmetic_llama",
            ["mib/arithmetic-addition", "mib/arithmetic-subtraction"],
            ["llama-3.1-8b", "llama-3.1-8b-instruct"],
        ),
        ("ioi_mcqa_gpt2", ["mib/ioi", "mib/mcqa"], ["gpt2"]),
        ("bioinformatics/scores", [], []),
        ("", [], []),
    ],
)
def test_names_of_tasks_and_models_are_understood(place, task, model):
    assert sorted(values(place, "task")) == task
    assert values(place, "model") == model


def test_every_word_means_something_that_there_is():
    assert {one for words in _TASKS.values() for one in words} <= set(TASKS[Track.CIRCUIT].names())
    assert {one for words in _MODELS.values() for one in words} <= set(CATALOGUE)


def test_levels_and_seeds_are_read():
    assert values("node/ioi_gpt2", "level") == values("ioi_gpt2_nodes.pt", "level") == ["node"]
    assert values("edge_neuron", "level") != []
    assert (seed_of("ioi_gpt2/seed3.json"), seed_of("seed_1/ioi_seed-12.pt"), seed_of("ioi_gpt2")) == (3, 12, None)
    assert key_of("ioi_0.001.json") == key_of("ioi_0.5.json") != key_of("mcqa_0.5.json")


def test_folders_of_rankings_are_told():
    assert [is_ranking_folder(name) for name in ("abs-true", "ABS_False", "absolute", "abs-true-false")] == [
        Ranking.ABSOLUTE,
        Ranking.SIGNED,
        None,
        None,
    ]
    assert grouped({}) == []


def item(place="a/b"):
    return Item(Found("importances", place, ()), Track.CIRCUIT)


def test_an_answer_for_a_folder_goes_first_then_what_it_says_then_the_answer_for_all():
    answers = Answers({"task": ["all", "a=own"], "model": ["every"]})
    assert settle(item(), "task", answers, [Said("x", "name")], "why") == "own"
    assert settle(item("c"), "task", answers, [Said("x", "name")], "why") == "x"
    assert settle(item("c"), "task", answers, [Said("x", "name"), Said("y", "name")], "why") == "all"
    one = item("c")
    assert settle(one, "level", answers, [Said("x", "name"), Said("y", "name")], "why") is None
    assert [(question.flag, question.choices) for question in one.questions] == [("--level", ("x", "y"))]
    assert [failure.what for failure in answers.unused()] == ["--model every says nothing."]


def test_answers_that_contradict_each_other_are_refused():
    with pytest.raises(UsageError, match="given twice"):
        Answers({"task": ["a", "b"]})
    with pytest.raises(UsageError, match="given twice"):
        Answers({"task": ["x=a", "x/=b"]})
    with pytest.raises(UsageError, match="--level"):
        Answers({"level": ["head"]})
    with pytest.raises(UsageError, match="--ranking"):
        Answers({"ranking": ["x=up"]})
