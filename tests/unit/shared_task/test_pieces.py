"""What of a submission is scored where."""

from __future__ import annotations

import pytest
from circuit_series import circuits
from open_rounds import rules
from submission_cases import FILE, MODEL, TASK, change, good

from mibench.artifacts.series import BUDGETS, CircuitSeries
from mibench.core.errors import ArtifactError, DataError
from mibench.shared_task.pieces import method_name, pieces_of, read_piece, read_submission

OTHER = "planted-induction-llama"


def round_of(*groups):
    own = rules().model_dump(mode="json")
    return type(rules()).model_validate(own | {"cells": list(groups)})


def cells(tasks=(TASK,), models=(MODEL,), **more):
    return {"track": "circuit", "tasks": list(tasks), "models": list(models), **more}


def test_only_the_cells_of_the_round_are_scored(tmp_path):
    folder = good(tmp_path)
    change(folder, first={"tasks": [TASK, "ioi"], "models": [MODEL, OTHER]})
    own = read_submission(folder)
    assert [piece.places for piece in pieces_of(own, rules())] == [((TASK, MODEL),)]
    both = round_of(cells(), cells(["ioi"], [OTHER]))
    assert [piece.places for piece in pieces_of(own, both)] == [((TASK, MODEL), ("ioi", OTHER))]
    assert pieces_of(own, round_of(cells(level="node"))) == []


def test_the_name_of_a_method_tells_team_and_version(tmp_path):
    assert method_name(read_submission(good(tmp_path))) == "team/method@1"


def test_circuits_of_all_sizes_are_one_piece_and_fewer_are_one_each(tmp_path):
    whole, some = circuits(tmp_path / "a", BUDGETS), circuits(tmp_path / "b", BUDGETS[2:])
    (piece,) = pieces_of(read_submission(whole), rules())
    assert len(piece.entries) == len(BUDGETS)
    found = read_piece(piece, whole)
    assert isinstance(found, CircuitSeries)
    single = pieces_of(read_submission(some), rules())
    assert [len(piece.entries) for piece in single] == [1] * len(BUDGETS[2:])
    assert not isinstance(read_piece(single[0], some), CircuitSeries)
    digests = {read_piece(piece, some).digest for piece in single}
    assert len(digests) == len(single)


def test_circuits_of_all_sizes_but_of_two_seeds_are_no_ranking(tmp_path):
    folder = circuits(tmp_path, BUDGETS)
    change(folder, first={"seed": 1})
    assert len(pieces_of(read_submission(folder), rules())) == len(BUDGETS)


def test_a_file_that_has_changed_is_not_read(tmp_path):
    folder = good(tmp_path)
    (piece,) = pieces_of(read_submission(folder), rules())
    read_piece(piece, folder)
    content = (folder / FILE).read_bytes()
    for other in (content[:-1] + b"x", content + b"x"):
        (folder / FILE).write_bytes(other)
        with pytest.raises(ArtifactError, match="not the file that was handed in"):
            read_piece(piece, folder)


def test_a_manifest_that_has_changed_for_the_worse_is_refused(tmp_path):
    folder = good(tmp_path)
    change(folder, authors=[])
    with pytest.raises(DataError, match="cannot be used"):
        read_submission(folder)
