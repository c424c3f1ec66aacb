"""The shipped trained models: whole, small, and as they were trained to be."""

from __future__ import annotations

import json

import pytest

from mibench.core.hashing import file_digest
from mibench.core.truth import read_truth
from mibench.models.load import load_hf
from mibench.siit.check import check
from mibench.siit.probe import Place, Probe
from mibench.siit.recipes import RECIPES
from mibench.siit.truth import truth_of
from mibench.tasks.known.programs import task_names
from mibench.tasks.shipped import data_folder

FOLDER = data_folder("truth")
NAMES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
_MB = 1_000_000


def probe_of(name: str, limit: int) -> Probe:
    return Probe.of(FOLDER / name, RECIPES[name].reader, limit)


def test_every_recipe_is_shipped() -> None:
    assert sorted(RECIPES) == NAMES
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 15 * _MB


def test_digests_are_those_of_the_files() -> None:
    digests = json.loads((FOLDER / "digests.json").read_text())["sha256"]
    files = {path.relative_to(FOLDER).as_posix(): path for path in FOLDER.glob("*/*")}
    assert digests == {name: file_digest(path) for name, path in files.items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_fits_its_recipe(name: str) -> None:
    recipe, loaded, truth = RECIPES[name], load_hf(str(FOLDER / name)), read_truth(FOLDER / name)
    assert truth is not None
    assert set(truth.tasks) == set(task_names(recipe.loaded))
    assert {site.variable for site in truth.tasks[name].sites} == set(recipe.loaded.variables)
    graph = recipe.sizes.graph
    for known in truth.tasks.values():
        assert known.edges
        assert known.resolution == "head"
        for edge in known.edges:
            graph.edge_index(edge)
    assert loaded.tokenizer is not None
    assert loaded.tokenizer.encode(" ".join(recipe.loaded.words[1:])) == list(range(1, len(recipe.loaded.words)))
    card = (FOLDER / name / "README.md").read_text()
    assert "not reached" not in card
    assert f"python -m mibench.siit train {name}" in card


def test_the_mechanism_of_logic_is_the_one_that_it_was_trained_to_have() -> None:
    probe = probe_of("siit-logic", 60)
    findings = check(probe)
    assert findings.failures == ()
    assert all(edges.loss > 0.03 for edges in findings.edges.values())
    known = read_truth(FOLDER / "siit-logic")
    assert known is not None
    assert truth_of(probe) == known


def test_swapping_another_variables_node_is_no_swap_of_the_variable() -> None:
    probe = probe_of("siit-logic", 60)
    last = next(position for position in probe.reader.program.positions if position.name == "last")
    assert probe.swaps("inner", Place(last, 0, "m0")).holds
    assert not probe.swaps("inner", Place(last, 0, "a0.h0")).holds
    assert not probe.swaps("inner", Place(last, 1)).holds
    assert probe.swaps("answer", Place(last, 1)).holds


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_mechanism_of_a_model_is_the_one_that_it_was_trained_to_have(name: str) -> None:
    probe = probe_of(name, 500)
    findings = check(probe)
    assert findings.failures == ()
    assert all(edges.loss > 0.03 for edges in findings.edges.values())
    assert truth_of(probe) == read_truth(FOLDER / name)
