"""A record holds what it says, and refuses what makes no sense."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from mibench.core.specs import Ablation, Cell, Convention, Level, MethodRef, ModelRef, TaskRef, Track
from mibench.records.encode import parse_record, record_bytes, stable_bytes
from mibench.records.record import (
    ArtifactRef,
    Cost,
    CurvePoint,
    FormerValue,
    MetricValue,
    Problem,
    Provenance,
    RunRecord,
    TableRef,
    Volatile,
    json_schema,
)

from .conftest import MakeRecord

finite = st.floats(allow_nan=False, allow_infinity=False)
amounts = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
counts = st.integers(0, 2**40)
words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
files = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True)
moments = st.datetimes(timezones=st.just(UTC))
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=4,
)
intervals = st.tuples(finite, finite).map(sorted)


@st.composite
def metric_values(draw: st.DrawFn) -> MetricValue:
    rest = draw(
        st.fixed_dictionaries(
            {
                "n": st.none() | counts,
                "floor": st.none() | finite,
                "higher_is_better": st.none() | st.booleans(),
            }
        )
    )
    if draw(st.booleans()):
        return MetricValue(value=None, reason=draw(words), **rest)
    if draw(st.booleans()):
        return MetricValue(value=draw(finite), ci_reason=draw(st.none() | words), **rest)
    low, high = draw(intervals)
    return MetricValue(value=draw(finite), ci_low=low, ci_high=high, ci_source=draw(words), **rest)


cells = st.builds(
    Cell,
    track=st.sampled_from(Track),
    task=st.builds(TaskRef, name=words, version=counts, split=words, digest=digests, limit=st.none() | counts),
    model=st.builds(ModelRef, name=words, digest=digests),
    method=st.builds(MethodRef, name=words, params=st.dictionaries(words, plain, max_size=3)),
    level=st.none() | st.sampled_from(Level),
    ablation=st.none() | st.sampled_from(Ablation),
    convention=st.sampled_from(Convention),
)
curve_points = st.builds(
    CurvePoint,
    fraction=amounts,
    n_requested=counts,
    n_edges=counts,
    value=st.none() | finite,
    ci_low=st.none(),
    ci_high=st.none(),
)
costs = st.builds(Cost, seconds=amounts, peak_bytes=st.none() | counts, forward_passes=amounts, examples=counts)
provenances = st.builds(
    Provenance,
    mibench=words,
    python=words,
    platform=words,
    packages=st.dictionaries(words, words, max_size=2),
    determinism=st.dictionaries(words, st.booleans() | words, max_size=2),
    command=st.lists(words, max_size=3),
    created_at=moments,
    threads=st.none() | st.integers(1, 64),
    batch_size=st.none(),
)
formers = st.builds(
    FormerValue, version=st.integers(1, 9), value=st.none() | finite, ci_low=st.none(), ci_high=st.none(),
    replaced_at=moments,
)  # fmt: skip
volatiles = st.builds(
    Volatile,
    cost=st.none() | costs,
    provenance=st.none() | provenances,
    former=st.dictionaries(words, st.lists(formers, max_size=2), max_size=2),
)
problems = st.builds(Problem, what=words, why=words, do=words)
outcomes = st.just(("ok", None)) | st.tuples(st.sampled_from(["failed", "skipped"]), problems)


@st.composite
def records(draw: st.DrawFn) -> RunRecord:
    status, problem = draw(outcomes)
    return RunRecord(
        cell=draw(cells),
        status=status,
        problem=problem,
        metrics=draw(st.dictionaries(words, metric_values(), max_size=2)),
        curves=draw(st.dictionaries(words, st.lists(curve_points, max_size=2), max_size=2)),
        tables=draw(st.dictionaries(words, st.builds(TableRef, file=files, sha256=digests, rows=counts), max_size=2)),
        artifact=draw(st.none() | st.builds(ArtifactRef, file=files, sha256=digests)),
        looks_at_test=draw(st.none() | counts),
        volatile=draw(volatiles),
    )


@settings(deadline=None)
@given(records())
def test_a_record_comes_back_from_its_bytes_as_it_was(record: RunRecord) -> None:
    content = record_bytes(record)
    again = parse_record(content, source="test")
    assert again == record
    assert again.cell.id == record.cell.id
    assert record_bytes(again) == content


@settings(deadline=None, max_examples=30)
@given(records(), volatiles)
def test_stable_bytes_do_not_see_what_is_volatile_and_see_all_else(record: RunRecord, other: Volatile) -> None:
    moved = record.model_copy(update={"volatile": other})
    assert stable_bytes(moved) == stable_bytes(record)
    whole = json.loads(record_bytes(record))
    del whole["volatile"]
    assert json.loads(stable_bytes(record)) == whole


def test_bytes_are_sorted_indented_and_end_with_a_newline(make_record: MakeRecord) -> None:
    text = record_bytes(make_record()).decode()
    assert text.startswith('{\n  "artifact": null,\n  "board": null,\n  "cell": {\n    "ablation"')
    assert text.endswith("\n}\n")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("kind", "field", "rest"),
    [
        (MetricValue, "value", {}),
        (MetricValue, "floor", {"value": 1.0}),
        (MetricValue, "ceiling", {"value": 1.0}),
        (MetricValue, "ci_low", {"value": 1.0, "ci_high": 2.0, "ci_source": "examples"}),
        (CurvePoint, "value", {"fraction": 0.1, "n_requested": 1, "n_edges": 1}),
        (CurvePoint, "fraction", {"value": 0.1, "n_requested": 1, "n_edges": 1}),
        (Cost, "seconds", {}),
    ],
)
def test_nan_and_infinity_are_refused_everywhere(
    kind: type[BaseModel], field: str, rest: dict[str, Any], bad: float
) -> None:
    assert kind(**rest, **{field: 1.0})
    with pytest.raises(ValidationError):
        kind(**rest, **{field: bad})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"value": None}, "reason is given"),
        ({"value": 1.0, "reason": "why"}, "reason is given"),
        ({"value": None, "reason": ""}, "at least 1 character"),
        ({"value": 1.0, "ci_low": 0.0, "ci_source": "examples"}, "come together"),
        ({"value": 1.0, "ci_low": 2.0, "ci_high": 1.0, "ci_source": "examples"}, "above"),
        ({"value": 1.0, "ci_low": 0.0, "ci_high": 1.0}, "ci_source is given"),
        ({"value": 1.0, "ci_source": "examples"}, "ci_source is given"),
        (
            {"value": None, "reason": "r", "ci_low": 0.0, "ci_high": 1.0, "ci_source": "examples"},
            "null value",
        ),
        ({"value": 1.0, "ci_low": 0.0, "ci_high": 1.0, "ci_source": "seeds", "ci_reason": "r"}, "ci_reason"),
        ({"value": 1.0, "n": -1}, "greater than or equal to 0"),
        ({"value": 1.0, "version": 0}, "greater than or equal to 1"),
        ({"value": 1.0, "colour": "red"}, "Extra inputs"),
    ],
)
def test_a_metric_that_contradicts_itself_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        MetricValue(**fields)


@pytest.mark.parametrize("file", ["../up.parquet", "a/b.parquet", "/etc/passwd", ".hidden", "", "a\n", "..", "a\\b"])
def test_a_table_file_cannot_lie_outside_the_folder_of_the_record(file: str) -> None:
    with pytest.raises(ValidationError):
        TableRef(file=file, sha256="a" * 64, rows=1)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "failed"},
        {"status": "skipped"},
        {"problem": Problem(what="a", why="b", do="c")},
        {"status": "odd"},
    ],
)
def test_a_problem_comes_exactly_with_a_failure(make_record: MakeRecord, fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_record(**fields)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        Provenance(mibench="1", python="3", platform="x", created_at=datetime(2020, 1, 1))  # noqa: DTZ001


def test_a_record_cannot_be_changed(make_record: MakeRecord) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        make_record().status = "failed"  # type: ignore[misc]


def test_every_field_of_the_schema_is_described_and_none_may_be_added() -> None:
    schema = json_schema()
    parts = {"RunRecord": schema} | {
        name: part
        for name, part in schema["$defs"].items()
        if name in {"MetricValue", "Cost", "Provenance", "TableRef"}
    }
    assert len(parts) == 5
    for name, part in parts.items():
        assert part["additionalProperties"] is False, name
        assert [field for field, about in part["properties"].items() if "description" not in about] == []
