"""Older records are brought up to date step by step; newer ones are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mibench.core.errors import StoreError
from mibench.records.encode import parse_record, record_bytes
from mibench.records.migrate import STEPS, migrate
from mibench.records.record import SCHEMA_VERSION

from .conftest import MakeRecord


def rename(raw: dict[str, Any]) -> dict[str, Any]:
    raw["inner"]["new"] = raw["inner"].pop("old")
    return raw


def double(raw: dict[str, Any]) -> dict[str, Any]:
    raw["inner"]["new"] *= 2
    return raw


def test_a_record_of_the_current_version_stays_as_it_is() -> None:
    raw = {"schema_version": SCHEMA_VERSION, "a": 1}
    assert migrate(raw) == {"schema_version": SCHEMA_VERSION, "a": 1}


def test_steps_are_taken_in_order_and_the_original_is_left_alone() -> None:
    raw = {"schema_version": 1, "inner": {"old": 3}}
    assert migrate(raw, steps={2: double, 1: rename}, current=3) == {"schema_version": 3, "inner": {"new": 6}}
    assert raw == {"schema_version": 1, "inner": {"old": 3}}


def test_a_record_enters_the_chain_at_its_own_version() -> None:
    raw = {"schema_version": 2, "inner": {"new": 3}}
    assert migrate(raw, steps={2: double, 1: rename}, current=3)["inner"] == {"new": 6}


def test_a_gap_in_the_chain_is_reported() -> None:
    with pytest.raises(StoreError) as caught:
        migrate({"schema_version": 1, "inner": {"old": 3}}, steps={1: rename}, current=3)
    assert "from version 2 to 3" in caught.value.why


@pytest.mark.parametrize("version", [None, "1", 1.0, True, 0, -1])
def test_a_version_that_is_no_version_is_refused(version: object) -> None:
    with pytest.raises(StoreError, match="not a record"):
        migrate({"schema_version": version})


def test_a_newer_version_says_to_upgrade() -> None:
    with pytest.raises(StoreError) as caught:
        migrate({"schema_version": SCHEMA_VERSION + 1})
    assert "Upgrade mibench" in caught.value.do


def test_every_older_version_has_its_step() -> None:
    assert sorted(STEPS) == list(range(1, SCHEMA_VERSION))


def test_a_record_of_version_1_has_no_former_numbers_and_loses_nothing(make_record: MakeRecord) -> None:
    raw = json.loads(record_bytes(make_record()))
    del raw["volatile"]["former"]
    found = parse_record(json.dumps(raw | {"schema_version": 1}), source="test")
    assert found == make_record()
    assert found.volatile.former == {}
