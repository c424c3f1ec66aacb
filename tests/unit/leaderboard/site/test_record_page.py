"""The page of a record: numbers, curves, worst examples by name, how to get it again, and nothing of private data."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from mibench.artifacts.circuit import CircuitScores
from mibench.artifacts.formats import native
from mibench.core.specs import Level
from mibench.graph.graph import Graph
from mibench.leaderboard.rows import Entry
from mibench.leaderboard.site.heat import circuit_heat, top_scores
from mibench.leaderboard.site.record_facts import costs
from mibench.leaderboard.site.worst import worst_examples
from mibench.records.confirmation import Confirmation, append_confirmations
from mibench.records.record import Cost, Provenance, RunRecord, Volatile

from ..conftest import FAIR, GOOD, Shelf, circuit_tables  # noqa: TID252
from .conftest import pages_of

MADE = Provenance(
    mibench="1.2.3", python="3.11.7", platform="Linux", packages={"torch": "2.5"},
    created_at=datetime(2026, 1, 2, tzinfo=UTC),
    command=["/home/me/mibench/__main__.py", "run", "runs/a b.yaml", "--out", "x"], git_commit="c" * 40,
)  # fmt: skip


def with_provenance(shelf: Shelf, record: RunRecord, **changes: object) -> RunRecord:
    volatile = Volatile(provenance=MADE.model_copy(update=changes), cost=record.volatile.cost)
    return shelf.store.write(record.model_copy(update={"volatile": volatile}))


def page_of(shelf: Shelf, record: RunRecord):
    return pages_of(shelf)[f"records/{record.cell.id}.html"]


def test_every_metric_command_environment_and_digest_is_on_the_page(shelf: Shelf) -> None:
    record = with_provenance(shelf, shelf.add("eap", FAIR))
    text = page_of(shelf, record).text
    for name in record.metrics:
        assert name in text
    assert "mibench run 'runs/a b.yaml' --out x" in text
    assert "/home/me" not in text
    assert f"mibench reproduce {record.cell.id[:12]}" in text
    for told in ("torch 2.5", "c" * 40, record.cell.task.digest, record.cell.model.digest, "2026-01-02"):
        assert told in text
    assert all(ref.sha256 in text for ref in record.tables.values())


def test_the_worst_examples_are_those_that_the_circuits_miss_by_most(shelf: Shelf) -> None:
    record = shelf.add("eap", FAIR)
    found = worst_examples(Entry(record, shelf.store))
    assert found is not None
    tables = circuit_tables(FAIR)
    rows = tables.table[tables.table["ranking"] == "absolute"]
    clean = tables.endpoints.set_index("example")["clean"]
    missed = {
        name: np.mean([abs(value - clean[name]) for value in own["value"]]) for name, own in rows.groupby("example")
    }
    expected = sorted(missed, key=lambda name: -missed[name])[:10]
    assert [row[0] for row in found.rows] == expected
    assert [row[1] for row in found.rows] == [f"{missed[name]:.4g}" for name in expected]


def test_a_private_split_shows_no_example(shelf: Shelf) -> None:
    named = shelf.add("eap", FAIR, split="standings")
    blinded = with_provenance(shelf, shelf.add("eap-ig-inputs", GOOD), command=[])
    public = with_provenance(shelf, shelf.add("relp", GOOD))
    for record in (named, blinded):
        page = page_of(shelf, record)
        assert "no example is shown" in page.text
        assert "e0" not in page.text.split("Worst examples", 1)[1].split("How to reproduce")[0]
    assert "missed by" in page_of(shelf, public).text


def test_a_record_without_its_tables_has_its_page(shelf: Shelf) -> None:
    record = shelf.add("eap", FAIR, tables=False)
    assert "no per-example table that tells" in page_of(shelf, record).text
    failed = shelf.fail("ifr")
    text = page_of(shelf, failed).text
    assert "Failed: no numbers" in text
    assert "Use a smaller batch." in text


def test_repeats_are_listed_and_counted_where_the_tables_are_still_the_same(shelf: Shelf) -> None:
    record = shelf.add("eap", FAIR)
    tables = {name: ref.sha256 for name, ref in record.tables.items()}
    made = MADE.model_copy(update={"command": []})

    def repeat(verdict: str, tables: dict[str, str]) -> Confirmation:
        return Confirmation(
            record=record.cell.id, tables=tables, verdict=verdict, difference=0.0 if verdict == "match" else 0.5,
            where=None if verdict == "match" else "cmd", tolerance=1e-3, made=made,
        )  # fmt: skip

    other = dict.fromkeys(tables, "f" * 64)
    append_confirmations(shelf.records, [repeat("match", tables), repeat("mismatch", tables), repeat("match", other)])
    pages = pages_of(shelf)
    page = pages[f"records/{record.cell.id}.html"]
    assert "reproduced 1×" in page.text
    assert "mismatch , largest difference 0.5 (cmd)" in page.text
    assert "reproduced 1×" in pages["circuit.html"].text


def scores(level: Level = Level.EDGE) -> CircuitScores:
    graph = Graph(2, 2)
    shape = graph.shape if level is Level.EDGE else (graph.n_sources,)
    values = np.zeros(shape, dtype=np.float32)
    if level is Level.EDGE:
        values[graph.edge_index("a0.h1->m1")] = -3.0
        values[graph.edge_index("m0->logits")] = 2.0
        values[graph.edge_index("input->m0")] = 0.5
        return CircuitScores(graph, level, values, scored=graph.real_mask)
    values[3] = 1.5
    return CircuitScores(graph, level, values)


def test_top_edges_and_the_map_of_heads_come_from_the_artifact_beside_the_record(shelf: Shelf, tmp_path) -> None:
    path = tmp_path / "scores.safetensors"
    native.write(scores(), path)
    record = shelf.store.write(shelf.add("eap", FAIR), artifact=path)
    text = page_of(shelf, record).text
    assert "a0.h1 → m1 -3 m0 → logits +2 input → m0 +0.5" in text
    assert "share of the largest" in text
    shelf.store.artifact(record).unlink()
    assert "a0.h1 → m1" not in page_of(shelf, record).text


def test_the_map_of_a_circuit_sums_what_leaves_each_head(shelf: Shelf) -> None:
    heat = circuit_heat(scores())
    assert heat is not None
    assert heat.columns == ("0", "1", "MLP")
    assert [(layer, [cell.text for cell in cells]) for layer, cells in heat.rows] == [
        ("1", [".00", ".00", ".00"]), ("0", [".00", "1.00", ".67"]),
    ]  # fmt: skip
    assert top_scores(scores(Level.NODE), 5) == [("m0", 1.5)]


def test_costs_say_whether_they_are_of_the_method_or_of_the_scoring_too(shelf: Shelf) -> None:
    method = Cost(seconds=30.0, peak_bytes=2**31, forward_passes=60.0, backward_passes=30.0, examples=30)
    both = Cost(seconds=90.0, forward_passes=100.0, backward_passes=30.0, examples=1)
    record = shelf.add("eap")

    def told(cost: Cost | None, discovery: Cost | None) -> dict[str, str]:
        return dict(costs(record.model_copy(update={"volatile": Volatile(cost=cost, discovery=discovery)})))

    found = told(both, method)
    assert list(found) == ["Method alone", "Method + scoring"]
    assert found["Method alone"] == (
        "30.0 s of wall-clock time; 2.0 GiB of memory at most; "
        "60 forward + 30 backward passes of the model, each of one example, over 30 examples"
    )
    assert found["Method + scoring"].endswith("each of one example, over 1 example")
    # A dictionary that was trained once and scored on several tasks.
    assert list(told(Cost(seconds=1.0), method)) == ["Method alone", "Scoring alone (the method had run before)"]
    assert told(both, None).keys() == {"Scoring alone (handed in)"}
    assert told(Cost(seconds=1.0), None)["Scoring alone (handed in)"].endswith("no pass of the model")
    assert told(None, None) == {}
