from __future__ import annotations

import pytest

from mibench.core.registry import Registry
from mibench.core.specs import Cell, DictionaryRef, MethodRef, ModelRef, TaskRef, Track
from mibench.leaderboard.notes import notes
from mibench.leaderboard.rows import Entry, make_groups
from mibench.records.record import RunRecord
from mibench.records.store import Store


@pytest.mark.parametrize("task", Registry("dictionary_task", "mibench.tasks").names())
def test_every_dictionary_task_has_its_notes(task, tmp_path):
    cell = Cell(
        track=Track.SAE,
        task=TaskRef(name=task, version=1, split="test", digest="a"),
        model=ModelRef(name="smollm2-135m", digest="b"),
        method=MethodRef(name="topk"),
        dictionary=DictionaryRef(hook="residual-post.L1", corpus="sotu", context=128),
    )
    (group,) = make_groups([Entry(RunRecord(cell=cell, status="ok"), Store(tmp_path))])
    assert any("dequantised" in note for note in notes(group))
