from __future__ import annotations

import pytest

from mibench.core.errors import DataError
from mibench.core.truth import TRUTH_FILE, KnownSite, KnownTruth, TaskTruth, read_truth, write_truth

TRUTH = KnownTruth(
    origin="planted",
    note="by hand",
    tasks={
        "t": TaskTruth(
            edges=("input->m0", "m0->logits"),
            sites=(KnownSite(variable="v", layer=0, position="last", subspace="v"),),
        )
    },
)


def test_a_truth_comes_back_as_it_was_written(tmp_path):
    write_truth(tmp_path, TRUTH)
    assert read_truth(tmp_path) == TRUTH


def test_a_folder_without_the_file_has_no_truth(tmp_path):
    assert read_truth(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "Expecting property name"),
        ("[]", "valid dictionary"),
        ('{"origin": "heard", "tasks": {}}', "origin"),
        ('{"origin": "planted", "tasks": {"t": {"edges": 3}}}', "tasks.t.edges"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_what_is_no_truth_is_refused_with_the_field(tmp_path, text, why):
    (tmp_path / TRUTH_FILE).write_text(text)
    with pytest.raises(DataError) as caught:
        read_truth(tmp_path)
    assert why.lower() in str(caught.value.why).lower()
