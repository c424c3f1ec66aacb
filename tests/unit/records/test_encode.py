"""Text that is not a record gives an error that names its source."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mibench.core.errors import StoreError
from mibench.records.encode import parse_record, record_bytes

from .conftest import MakeRecord


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "3", "{}", '{"schema_version": 1}', b"\xff\xfe\x00", "[" * 100_000, "1" * 5000],
)
def test_text_that_is_not_a_record_is_refused_with_its_source(text: str | bytes) -> None:
    with pytest.raises(StoreError, match=r"some\.json"):
        parse_record(text, source="some.json")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"colour": "red"}, "colour"),
        ({"status": "great"}, "status"),
        ({"looks_at_test": "3"}, "looks_at_test"),
        ({"looks_at_test": 3.0}, "looks_at_test"),
        ({"metrics": {"cpr": {"value": float("nan")}}}, "metrics.cpr.value"),
        ({"metrics": {"cpr": {"value": "0.5"}}}, "metrics.cpr.value"),
        ({"metrics": {"cpr": {"value": True}}}, "metrics.cpr.value"),
    ],
)
def test_the_error_names_the_field(make_record: MakeRecord, change: dict[str, Any], named: str) -> None:
    raw = json.loads(record_bytes(make_record())) | change
    with pytest.raises(StoreError) as caught:
        parse_record(json.dumps(raw), source="some.json")
    assert named in caught.value.why


def test_a_number_too_large_for_a_float_is_refused(make_record: MakeRecord) -> None:
    text = record_bytes(make_record()).decode().replace('"value": 0.5', '"value": 1e999')
    with pytest.raises(StoreError, match="not a valid record"):
        parse_record(text, source="some.json")


def test_infinity_in_a_parameter_is_refused(make_record: MakeRecord) -> None:
    text = record_bytes(make_record()).decode().replace('"steps": 5', '"steps": 1e999')
    with pytest.raises(StoreError, match="not a valid record"):
        parse_record(text, source="some.json")


def test_many_faults_are_counted(make_record: MakeRecord) -> None:
    raw = json.loads(record_bytes(make_record())) | dict.fromkeys("abcde", 1)
    with pytest.raises(StoreError) as caught:
        parse_record(json.dumps(raw), source="some.json")
    assert "(and 2 more)" in caught.value.why


def test_a_newer_version_is_refused_with_its_source_and_what_to_do(make_record: MakeRecord) -> None:
    raw = json.loads(record_bytes(make_record())) | {"schema_version": 99}
    with pytest.raises(StoreError, match=r"some\.json.*99") as caught:
        parse_record(json.dumps(raw), source="some.json")
    assert "Upgrade mibench" in caught.value.do
