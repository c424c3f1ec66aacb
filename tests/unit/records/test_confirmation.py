"""Confirmations are lines that are added, never replaced."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from mibench.core.errors import StoreError
from mibench.records.confirmation import FILE, Confirmation, append_confirmations, read_confirmations
from mibench.records.record import Provenance

MADE = Provenance(mibench="1", python="3.11", platform="Linux", created_at=datetime(2026, 1, 1, tzinfo=UTC))


def confirmation(digit: str = "a", **fields: object) -> Confirmation:
    known = {
        "record": digit * 32, "tables": {"examples": "b" * 64}, "verdict": "drift", "difference": 1e-5,
        "where": "metric cmd, value", "tolerance": 1e-3, "made": MADE,
    }  # fmt: skip
    return Confirmation.model_validate(known | fields)


def test_what_is_appended_is_read_in_order(tmp_path: Path) -> None:
    assert read_confirmations(tmp_path) == []
    path = append_confirmations(tmp_path, [confirmation("a")])
    first = path.read_bytes()
    append_confirmations(tmp_path, [confirmation("b"), confirmation("a", verdict="mismatch", difference=None)])
    assert path.read_bytes().startswith(first)
    assert [one.record[0] for one in read_confirmations(tmp_path)] == ["a", "b", "a"]
    assert read_confirmations(tmp_path)[2] == confirmation("a", verdict="mismatch", difference=None)
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("line", ["{", "[]", "", '{"record": "a"}', "\x00"])
def test_a_file_that_is_not_of_confirmations_is_refused_and_kept(tmp_path: Path, line: str) -> None:
    good = json.dumps(confirmation().model_dump(mode="json"))
    (tmp_path / FILE).write_text(f"{good}\n{line}\n")
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(StoreError) as caught:
        append_confirmations(tmp_path, [confirmation()])
    assert "Line 2" in caught.value.why
    assert (tmp_path / FILE).read_bytes() == before


@pytest.mark.parametrize(
    "wrong", [{"record": "A" * 32}, {"verdict": "cannot"}, {"difference": float("nan")}, {"tolerance": -1.0}]
)
def test_a_confirmation_says_only_what_it_can(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        confirmation(**wrong)
