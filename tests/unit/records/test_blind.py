"""What is shown of private rows: numbers, and names that only the salt opens."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mibench.core.errors import DataError
from mibench.core.specs import Ablation, Cell, Level, MethodRef, ModelRef, TaskRef, Track
from mibench.metrics.circuit import circuit_metrics
from mibench.metrics.per_example import CircuitTables
from mibench.records.blind import HIDDEN, PROBLEM, Blinder
from mibench.records.blind_columns import _PLAIN, IDS, kind_of
from mibench.records.encode import record_bytes
from mibench.records.opaque import OpaqueNames
from mibench.records.record import (
    ArtifactRef,
    Cost,
    MetricValue,
    Problem,
    Provenance,
    RunRecord,
    TableRef,
    Volatile,
)
from mibench.records.store import Store
from mibench.runner.again.rescore import obstacle, rescore

LEADERBOARD = Path(__file__).parents[3] / "leaderboard" / "records"
SALT = b"s" * 32
SECRET = "When Mary and John went to the shop"
N_EDGES = 100
NAMES = OpaqueNames(SALT, ("", "ioi"))
DECIMAL = st.integers(0, 10**9 - 1)


def cell(track=Track.CIRCUIT, method="eap", task="ioi"):
    own = {"level": Level.EDGE, "ablation": Ablation.COUNTERFACTUAL} if track is Track.CIRCUIT else {}
    return Cell(
        track=track,
        task=TaskRef(name=task, version=1, split="test", limit=12, digest="a" * 64, train_digest="c" * 64),
        model=ModelRef(name="m", digest="b" * 64),
        method=MethodRef(name=method),
        **own,
    )


def record(track=Track.CIRCUIT, **fields):
    own = {"cell": cell(track), "status": "ok", "metrics": {"cpr": MetricValue(value=0.5, ci_reason="few")}}
    return RunRecord(**(own | fields))


def blinded(frame, table="examples", track=Track.CIRCUIT, **salt):
    return Blinder(**({"salt": SALT} | salt)).record(record(track), {table: frame})[1][table]


def circuit_tables(seed, ids):
    rng, base = np.random.default_rng(seed), np.random.default_rng(9)
    empty = base.normal(-1, 0.2, len(ids))
    rows = [
        {"example": name, "ranking": ranking, "fraction": share, "n_requested": int(share * N_EDGES),
         "n_edges": int(share * N_EDGES), "weighted_edges": share * N_EDGES,
         "value": empty[place] + share * 4 + rng.normal(0, 0.3) * (share < 1)}
        for ranking in ("signed", "absolute") for share in (0.1, 0.5, 1.0) for place, name in enumerate(ids)
    ]  # fmt: skip
    ends = pd.DataFrame({"example": ids, "clean": empty + 4, "empty": empty})
    return CircuitTables(pd.DataFrame(rows), ends, N_EDGES)


# Names.


@given(DECIMAL, DECIMAL)
def test_opaque_numbers_keep_their_order_fit_64_bits_and_open(one, other):
    hidden = NAMES.named(one), NAMES.named(other)
    assert (hidden[0] < hidden[1], hidden[0] == hidden[1]) == (one < other, one == other)
    assert 0 <= hidden[0] < 2**63
    assert NAMES.opened(hidden[0]) == one


@given(DECIMAL, DECIMAL)
def test_opaque_digits_keep_the_order_of_text_and_open(one, other):
    hidden = NAMES.named(str(one)), NAMES.named(str(other))
    assert (hidden[0] < hidden[1]) == (str(one) < str(other))
    assert NAMES.opened(hidden[0]) == str(one)


def test_a_text_becomes_its_hmac():
    plain = json.dumps(["blind", "", "ioi", "text", SECRET], separators=(",", ":")).encode()
    assert NAMES.text(SECRET) == hmac.new(SALT, plain, hashlib.sha256).hexdigest()[:24]
    assert NAMES.named("row-7") == NAMES.text("row-7")


def test_another_salt_split_or_task_gives_other_names():
    others = [OpaqueNames(b"t" * 32, ("", "ioi")), OpaqueNames(SALT, ("final", "ioi")), OpaqueNames(SALT, ("", "mcqa"))]
    ids = [str(number) for number in range(50)]
    mine = [NAMES.named(name) for name in ids]
    assert len(set(mine)) == 50
    for other in others:
        assert [other.named(name) for name in ids] != mine
        assert other.digest("a" * 64) != NAMES.digest("a" * 64)
        assert other.number(3) != NAMES.number(3)


@pytest.mark.parametrize("name", ["", "1", "xx", "12345678901234567890", -5, 2**62, "\u0661\u0662", "row-7"])
def test_a_name_that_was_not_made_here_does_not_open(name):
    with pytest.raises(DataError, match="cannot be opened"):
        NAMES.opened(name)


def test_numbers_that_are_no_names_stay_below_2_63():
    assert all(0 <= NAMES.named(number) < 2**63 for number in (-1, 10**9, -(2**62)))
    assert NAMES.named(-1) == NAMES.number(-1)


# Tables.


def test_rows_have_the_same_names_in_every_submission_and_table():
    ids, names = [str(place) for place in range(12)], set()
    for seed, method in enumerate(("eap", "eap-ig")):
        tables = circuit_tables(seed, ids)
        given = {"examples": tables.table, "endpoints": tables.endpoints}
        _, found = Blinder(SALT).record(record(cell=cell(method=method)), given)
        names |= {tuple(found[name]["example"][:12]) for name in given}
    assert len(names) == 1
    assert not any(one == other for one, other in zip(names.pop(), ids, strict=True))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, unique=True), st.booleans())
def test_types_stay_and_the_salt_opens_row_names(ids, texts):
    own = [str(one) for one in ids] if texts else ids
    frame = pd.DataFrame({"example": own, "value": np.linspace(0, 1, len(ids)), "ranking": "signed"})
    found = blinded(frame)
    assert found.dtypes.tolist() == frame.dtypes.tolist()
    pd.testing.assert_frame_equal(found.drop(columns="example"), frame.drop(columns="example"))
    back = Blinder(SALT).unblind(record(), {"examples": found})["examples"]
    pd.testing.assert_frame_equal(back, frame)


def test_another_salt_does_not_open_them():
    found = blinded(pd.DataFrame({"example": [str(place) for place in range(30)]}))
    with pytest.raises(DataError, match="cannot be opened"):
        Blinder(b"t" * 32).unblind(record(), {"examples": found})


@pytest.mark.parametrize("track", Track)
@pytest.mark.parametrize("table", ["examples", "a-new-table"])
def test_a_column_that_is_not_known_never_shows_its_values(track, table):
    frame = pd.DataFrame(
        {
            "prompt": [SECRET, "other", SECRET],
            "token": [1717171, 1818181, 1717171],
            "kind": pd.Categorical([SECRET, "b", SECRET]),
            "mixed": [SECRET, 3, None],
            "pair": [[1717171, 2], [1818181], [1717171, 2]],
            "cluster": ["Denver", None, "Quito"],
            "value": [0.5, 1.5, np.nan],
            "correct": [True, False, True],
            "target": pd.Series([None, 0.5, None], dtype=object),
        }
    )
    found = blinded(frame, table, track)
    shown = found.drop(columns=["value", "correct", "target"]).astype(str).to_csv()
    assert not any(word in shown for word in ("Mary", "1717171", "1818181", "Denver", "Quito", "other"))
    for name in ("prompt", "token", "kind", "pair"):
        assert found[name][0] == found[name][2] != found[name][1]
    assert found["token"].dtype == np.int64
    assert found["cluster"].isna().tolist() == [False, True, False]
    pd.testing.assert_frame_equal(found[["value", "correct", "target"]], frame[["value", "correct", "target"]])


def test_a_column_is_known_in_its_own_table_alone():
    words = pd.Series([SECRET], name="set")
    assert kind_of(Track.SAE, "examples", words) == "plain"
    assert kind_of(Track.SAE, "absorption-words", words) == kind_of(Track.CIRCUIT, "examples", words) == "text"


def test_of_the_tables_that_runs_write_names_of_rows_digests_and_cities_alone_are_hidden():
    store, hidden = Store(LEADERBOARD), set()
    one_each = {(one.cell.track, one.cell.task.name): one for one in store.query() if one.tables}
    for (track, task), one in one_each.items():
        if not task.startswith("sae-absorption"):  # its words are public, so it is never private
            frames = {name: store.table(one, name) for name in one.tables}
            hidden |= {(n, c) for n, f in frames.items() for c in f if kind_of(track, n, f[c]) not in {"plain", "id"}}
    assert len(one_each) > 5
    assert hidden <= {("attrition", "digest"), ("examples", "cluster"), ("fidelity", "cluster")}


def test_no_column_that_names_rows_is_known_as_harmless():
    assert not any(IDS & set(columns) for tables in _PLAIN.values() for columns in tables.values())


def test_documents_of_32_bits_become_64_bits_wide_in_order():
    found = blinded(pd.DataFrame({"document": np.array([0, 0, 3, 10], np.int32)}), "contexts", Track.SAE)["document"]
    assert found.dtype == np.int64
    assert found[0] == found[1] < found[2] < found[3]


def test_names_of_rows_with_gaps_keep_their_gaps():
    found = blinded(pd.DataFrame({"example": [3.0, np.nan, 5.0], "row": pd.array([1, None, 2], "Int32")}))
    assert found["example"].isna().tolist() == found["row"].isna().tolist() == [False, True, False]
    assert found["example"][0] == blinded(pd.DataFrame({"example": [3]}))["example"][0]


def test_an_empty_table_stays_empty():
    frame = pd.DataFrame({"example": pd.Series([], dtype=object), "prompt": pd.Series([], dtype=object)})
    assert blinded(frame).empty


def test_the_tables_that_were_given_are_not_changed():
    frame = pd.DataFrame({"example": ["0", "1"], "prompt": [SECRET, "x"]})
    before = frame.copy()
    blinded(frame)
    pd.testing.assert_frame_equal(frame, before)


# Records.


def test_a_record_loses_digest_texts_folders_and_files_and_keeps_numbers():
    made = Provenance(
        mibench="1", python="3", platform="x", created_at=datetime(2026, 1, 1, tzinfo=UTC), command=["/p/q"]
    )
    ref = TableRef(file="t.parquet", sha256="d" * 64, rows=2)
    whole = record(
        tables={"examples": ref},
        artifact=ArtifactRef(file="a.json", sha256="e" * 64),
        volatile=Volatile(cost=Cost(seconds=1.0), provenance=made, reused_from="/private/store"),
    )
    found, _ = Blinder(SALT).record(whole, {})
    assert found.cell.task.digest == Blinder(SALT).digest(whole, "a" * 64) != "a" * 64
    assert found.cell.task.train_digest == "c" * 64
    assert found.cell.id != whole.cell.id
    assert (found.tables, found.artifact, found.volatile.reused_from) == ({}, None, None)
    assert found.volatile.provenance.command == []
    assert found.volatile.cost == whole.volatile.cost
    assert found.metrics == whole.metrics
    assert RunRecord.model_validate_json(record_bytes(found)) == found
    for word in ("private/store", "/p/q", "t.parquet", "d" * 64, "e" * 64):
        assert word not in record_bytes(found).decode()


def test_the_cell_of_two_submissions_has_one_task():
    one, other = (Blinder(SALT).record(record(cell=cell(method=name)), {})[0] for name in ("eap", "random"))
    assert one.cell.task == other.cell.task
    assert one.cell.id != other.cell.id


def test_a_reason_for_failure_is_the_same_for_all():
    fault = Problem(what=f"{SECRET} failed.", why=SECRET, do=SECRET)
    found, _ = Blinder(SALT).record(record(status="failed", metrics={}, problem=fault), {})
    assert found.problem == PROBLEM
    assert "Mary" not in record_bytes(found).decode()


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("no row's answer is changed", True),
        ("1 example cannot be resampled", True),
        ("the word 'Mary' is missing", False),
        ("the word “Mary” is missing", False),
        ("of Denver there is one row", False),
    ],
)
def test_a_reason_that_quotes_or_names_what_tables_hide_is_not_shown(reason, shown):
    metrics = {"m": MetricValue(value=None, reason=reason), "n": MetricValue(value=1.0, ci_reason=reason)}
    tables = {"fidelity": pd.DataFrame({"cluster": ["Denver", "Quito"]})}
    found, _ = Blinder(SALT).record(record(Track.SAE, metrics=metrics), tables)
    said = {found.metrics["m"].reason, found.metrics["n"].ci_reason}
    assert said == {reason if shown else HIDDEN}
    assert found.metrics["n"].value == 1.0


@pytest.mark.parametrize("n", [5, 12, 30])
def test_blinded_tables_give_every_number_again(tmp_path, n):
    tables = circuit_tables(3, [str(place) for place in range(n)])
    metrics, curves = circuit_metrics(*tables)
    whole = record(metrics=metrics, curves=curves)
    ends = tables.endpoints.assign(graph_edges=N_EDGES)
    store = Store(tmp_path)
    written = store.write(*Blinder(SALT, "final").record(whole, {"examples": tables.table, "endpoints": ends}))
    assert store.read(written.cell) == written
    assert obstacle(written, store) is None
    (again,) = rescore([(written, store)])
    assert again.problem is None
    assert again.changes == ()
    assert written.metrics == metrics
