"""Prompts of a training step: seeded, of the train split, and labelled by the causal model."""

from __future__ import annotations

from random import Random

import pytest
import torch

from mibench.core.errors import DataError
from mibench.siit.alignment import Alignment
from mibench.siit.examples import Reader
from mibench.siit.recipes import RECIPES
from mibench.tasks.known.program import split_of

READERS = {name: recipe.reader for name, recipe in RECIPES.items()}


@pytest.mark.parametrize("name", RECIPES)
def test_a_step_is_that_of_its_seed_and_number(name: str) -> None:
    reader = READERS[name]
    one, other, later, seeded = (reader.step(*key, 16) for key in ((0, 3), (0, 3), (0, 4), (1, 3)))
    assert one.settings == other.settings
    assert torch.equal(one.ids, other.ids)
    assert torch.equal(one.off, other.off)
    assert one.variables == other.variables
    assert one.settings != later.settings
    assert one.settings != seeded.settings


@pytest.mark.parametrize("name", RECIPES)
def test_answers_are_those_of_the_causal_model(name: str) -> None:
    reader = READERS[name]
    program, examples = reader.program, reader.step(0, 0, 32)
    sources = [examples.settings[row] for row in examples.partners.tolist()]
    for row, (base, source) in enumerate(zip(examples.settings, sources, strict=True)):
        values = {part: program.causal.run(source)[part] for part in examples.variables[row].split("+")}
        expected = program.causal.intervene(base, values)[program.causal.output]
        assert program.words[examples.swapped[row]] == expected
        assert program.words[examples.answers[row]] == program.answer(base)
        kept = {link for link, on in zip(reader.alignment.flow_links, examples.kept[row].tolist(), strict=True) if on}
        assert program.words[examples.mixed[row]] == reader.alignment.mixed(kept, base, source)
        said = " ".join(program.words[word] for word in examples.ids[row].tolist())
        assert said == f"<s> {program.say(base)}"


@pytest.mark.parametrize("name", RECIPES)
def test_all_prompts_are_of_the_train_split(name: str) -> None:
    reader = READERS[name]
    settings = reader.step(0, 0, 64).settings
    assert {split_of(reader.program.say(setting)) for setting in settings} == {"train"}


def test_circuit_nodes_are_never_swapped_in_the_strict_loss() -> None:
    reader = READERS["siit-ioi"]
    examples = reader.step(0, 0, 64)
    circuit = reader.alignment.places(reader.alignment.circuit)
    assert not (examples.off & circuit).any()
    assert examples.off.flatten(1).any(dim=1).all()
    counts = set(examples.off.flatten(1).sum(dim=1).tolist())
    assert {1, len(reader.alignment.others)} < counts


def test_half_of_the_rows_keep_all_true_edges() -> None:
    kept = READERS["siit-ioi"].step(0, 0, 256).kept
    whole = kept.all(dim=1).double().mean().item()
    assert 0.4 < whole < 0.7
    assert 0.4 < kept[~kept.all(dim=1)].double().mean().item() < 0.6


def test_a_variable_with_a_position_is_swapped_there_alone_in_half_of_its_rows() -> None:
    reader = READERS["siit-ioi"]
    examples = reader.step(0, 0, 256)
    for variable, place in {"repeated": 5, "inhibited": 7}.items():
        where = examples.where[[one == variable for one in examples.variables]]
        alone = where[~where.all(dim=1)]
        assert 0.3 < len(alone) / len(where) < 0.7
        assert alone.sum(dim=1).tolist() == [1] * len(alone)
        assert alone[:, place].all()
    assert examples.where[[one == "answer" for one in examples.variables]].all()


def test_partners_are_each_others() -> None:
    examples = READERS["siit-logic"].step(0, 0, 8)
    assert examples.partners.tolist() == [4, 5, 6, 7, 0, 1, 2, 3]
    assert torch.equal(examples.partners[examples.partners], torch.arange(8))


def test_a_variable_without_an_answer_is_not_swapped() -> None:
    reader = READERS["siit-mcqa"]
    random = Random(0)
    base = reader.program.draw(random)
    colours = {base[name] for name in base if name.startswith("colour")}
    source = next(one for one in iter(lambda: reader.program.draw(random), None) if one["asked"] not in colours)
    assert reader.swapped("asked", base, source) is None
    assert reader.swapped("answer", base, source) == reader.program.answer(source)
    examples = reader.examples(random, [base] * 20, [source] * 20)
    assert "asked" not in examples.variables[:20]


def test_a_word_outside_the_vocabulary_is_refused() -> None:
    reader = READERS["siit-logic"]
    setting = {**reader.program.draw(Random(0)), "first": "perhaps"}
    with pytest.raises(DataError, match="cannot be trained"):
        reader.ids([setting])


def test_prompts_of_unequal_length_are_refused() -> None:
    reader = READERS["siit-logic"]
    setting = reader.program.draw(Random(0))
    longer = {**setting, "first": "yes no"}
    with pytest.raises(DataError, match="cannot be trained"):
        Reader(reader.program, reader.alignment).ids([setting, longer])


def test_places_are_rows_of_the_graph() -> None:
    alignment: Alignment = READERS["siit-ioi"].alignment
    found = alignment.places(("a1.h2", "m3"))
    assert found.shape == (6, 5)
    assert found.nonzero().tolist() == [[1, 2], [3, 4]]
