"""What every registered task of the causal-variable track has to keep."""

from __future__ import annotations

import re

import pytest
from offset_pieces import OffsetPieces
from word_tokens import WordTokens

from mibench.core.errors import DataError
from mibench.core.sites import Site
from mibench.tasks.causal.identifiability import check_separated, separations
from mibench.tasks.interchange import EncodedInterchange
from mibench.tasks.known.programs import load_program, program_names
from mibench.tasks.shipped import data_folder
from mibench.tasks.variable_parts import subspace_size
from mibench.tasks.variable_task import list_variable_tasks, load_variable_task

NAMES = [component.name for component in list_variable_tasks()]
VOCABULARY = 100_000
STAND_INS = {
    "MCQA": "mcqa-interchange",
    "ARC_EASY": "mcqa-interchange",
    "ARITHMETIC_ADDITION": "arithmetic-addition-interchange",
    "IOI": "ioi",
    "RAVEL": "ravel",
}
"""Our own sets in the schema of the hub's."""


@pytest.fixture
def find(monkeypatch):
    """Load tasks with stand-ins for what only the hub has."""
    for name, folder in STAND_INS.items():
        monkeypatch.setenv(f"MIBENCH_MIB_{name}", str(data_folder(folder)))
    return load_variable_task


def usable(task, split, variable, limit=40):
    """Return the rows for a tokenizer that the task takes, and the tokenizer."""
    words = [WordTokens(load_program(task.name).words)] if task.name in program_names() else []
    for encoder in words or [OffsetPieces(digits) for digits in (1, 3, 2)]:
        try:
            return task.encoded(split, limit, variable, encoder, VOCABULARY), encoder
        except DataError:
            continue
    raise AssertionError(f"no tokenizer fits {task.name}")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_declared_is_what_is_loaded(name):
    component = next(component for component in list_variable_tasks() if component.name == name)
    found = load_variable_task(name)
    assert found.name == name
    assert found.description == component.doc
    assert {key: getattr(found, key) for key in component.metadata} == component.metadata


@pytest.mark.parametrize("name", NAMES)
def test_a_task_says_what_it_is_whose_and_under_which_licence(name):
    found = load_variable_task(name)
    assert found.description.endswith(".")
    assert re.search(r"\b(19|20)\d\d\b", found.citation)
    assert re.fullmatch(r"[A-Za-z0-9.+-]+( AND [A-Za-z0-9.+-]+)*", found.licence)
    assert found.version >= 1
    assert len(found.parts.sets) > 1
    assert all(name in found.causal.graph() for name in found.variables)


@pytest.mark.parametrize("name", NAMES)
def test_positions_can_be_sites_and_some_need_no_gold_answer(name):
    positions = load_variable_task(name).parts.positions
    assert any(not position.oracle for position in positions)
    for position in positions:
        assert Site.parse(Site(0, position.name).name).position == position.name


@pytest.mark.parametrize("name", NAMES)
def test_sizes_and_training_are_possible(name):
    found = load_variable_task(name)
    assert set(found.parts.sizes) <= set(found.variables)
    assert all(1 <= subspace_size(size, 576) <= 576 for size in found.parts.sizes.values())
    assert min(found.parts.training.epochs, found.parts.training.batch) >= 1
    assert found.parts.training.lr > 0


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_has_cause_rows_and_is_told_from_every_other_one_by_some_set(name, find):
    task = find(name)
    rows = task.rows("test", 60)
    found = separations(task.causal, rows, task.variables)
    _check_sets(task, {one.set for one in found})
    for variable in task.variables:
        check_separated(task, variable, rows)


@pytest.mark.parametrize("name", NAMES)
def test_rows_become_tokens_with_every_position_in_base_and_source(name, find):
    task = find(name)
    names = {position.name for position in task.parts.positions}
    for variable in task.variables:
        found, encoder = usable(task, "validation", variable)
        _check_sets(task, {row.set for row in found.rows})
        for row, origin in zip(found.rows, found.origins, strict=True):
            assert row.base == (0, *encoder.encode(origin.base_prompt))
            assert row.source == (0, *encoder.encode(origin.source_prompt))
            _check(row, names)


def _check_sets(task, sets):
    """Our own data has every set; what stands in for the hub's need not."""
    assert sets <= set(task.parts.sets)
    assert sets == set(task.parts.sets) or task.name.startswith("mib/")


def _check(row: EncodedInterchange, names):
    assert set(row.base_positions) == set(row.source_positions) == names
    for position in names:
        base, source = row.base_positions[position], row.source_positions[position]
        assert list(base) == sorted(set(base))
        assert len(base) == len(source) > 0
        assert base[-1] < len(row.base)
        assert source[-1] < len(row.source)
    assert row.accepted
    assert row.base_accepted
    assert row.label == row.accepted[0]
    assert all(row.accepted)
    assert row.cause == (row.accepted != row.base_accepted)
    assert row.expected != row.base_expected or not row.cause


@pytest.mark.parametrize("name", NAMES)
def test_an_interchange_with_the_base_itself_changes_nothing(name, find):
    task = find(name)
    for row in task.rows("test", 10):
        for variable in (*task.variables, "+".join(task.variables)):
            assert task.causal.interchange_on(variable, row.base, row.base) == task.causal.run(row.base)


@pytest.mark.parametrize("name", NAMES)
def test_splits_share_no_base_prompt(name, find):
    task = find(name)
    prompts = [{row.base_prompt for row in task.rows(split)} for split in task.splits]
    assert sum(map(len, prompts)) == len(set().union(*prompts))


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_unique_in_their_set(name, find):
    task = find(name)
    for split in task.splits:
        rows = task.rows(split)
        assert len({(row.set, row.id) for row in rows}) == len(rows)


@pytest.mark.parametrize("name", NAMES)
def test_the_digest_is_stable_and_tells_splits_and_limits_apart(name, find):
    task = find(name)
    digests = [task.digest(split, limit) for split in task.splits for limit in (30, 10)]
    assert len(set(digests)) == len(digests)
    assert task.digest("train", 10) == digests[1]


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("arithmetic-addition", "685f3b8eb556c945e13c2d5c09d00ec1fcb8329ae8aa1c4f6364b40477cc73e6"),
        ("arithmetic-digit", "4b9ba8afe224bf2eccc59fc2b33c0c021567cb743ddf487a5f5a8a493986fbf4"),
        ("greater-than-digit", "7b081c0d2a6112a761d8bf6cfdc5b4a4f6dabc8195697f7886eccf6e51533e66"),
        ("mcqa", "336da139dcc6af81d9b665d53fc24987c4c42c206e99721cd3908ffd2504b52a"),
    ],
)
def test_version_1_is_fixed(name, digest):
    assert load_variable_task(name).digest("test") == digest
