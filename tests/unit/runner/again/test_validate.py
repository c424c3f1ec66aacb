from __future__ import annotations

import os

import pytest
import yaml
from stand_in import write_model, write_rows

from mibench.core.errors import DataError, ModelError, UsageError
from mibench.graph.graph import Graph
from mibench.records.store import Store
from mibench.runner import needs
from mibench.runner.again.published import Published, read_published
from mibench.runner.again.validate import data_from, validate
from mibench.runner.observe import Quiet

VARIABLE = "MIBENCH_MIB_IOI"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A model and a data set as they are on the hub; gives the options of a run on them."""
    monkeypatch.delenv(VARIABLE, raising=False)
    rows = write_rows(tmp_path / "data", 12)
    write_model(tmp_path / "model", rows)
    return {"data": tmp_path / "data", "options": {"model": str(tmp_path / "model"), "out": str(tmp_path / "records")}}


def of(*rows, **values):
    flat = {"method": "eap", "faithfulness": [0.0] * 10}
    known = {"source": "a test", "task": "mib/ioi", "model": "gpt2", "train_limit": 5}
    return Published.model_validate(known | values | {"rows": [flat | row for row in rows]})


def measured(hub, published):
    with data_from(hub["data"], published.task):
        return validate(published, hub["options"], Quiet())


def own_curve(hub, **row):
    (found,) = measured(hub, of(row))
    return [point.value for point in found.points], [point.n_edges for point in found.points]


def test_the_shipped_curves_are_those_of_mib():
    published = read_published("published")
    assert (published.task, published.model, published.split, published.tolerance) == ("mib/ioi", "gpt2", "test", 0.02)
    deciding = {row.method: row for row in published.rows if row.decides}
    assert set(deciding) == {"eap", "eap-ig-inputs"}
    assert deciding["eap-ig-inputs"].params == {"steps": 5}
    for row in published.rows:
        if row.faithfulness is not None:
            x, f = published.fractions, row.faithfulness
            area = sum((f[i] + f[i + 1]) / 2 * (x[i + 1] - x[i]) for i in range(9))
            assert area == pytest.approx(row.cpr, abs=0.006)  # the curves have two digits
            assert f[-1] == 1
        if row.n_edges is not None:
            assert row.n_edges[-1] == Graph(12, 12).n_edges
            assert row.n_edges == sorted(row.n_edges)


def test_our_own_values_pass_and_records_are_written(hub):
    curve, edges = own_curve(hub)
    again = of({"faithfulness": curve, "n_edges": edges}, {"method": "eap-ig-inputs", "decides": False})
    first, second = measured(hub, again)
    assert first.passes(0.0) is True
    assert list(first.differences) == [0.0] * 10
    assert second.passes(0.0) is None
    stored = Store(hub["options"]["out"]).query()
    assert {record.cell.method.name for record in stored} == {"eap", "eap-ig-inputs"}
    for record in stored:
        assert (record.cell.task.split, record.cell.task.limit, record.cell.task.train_limit) == ("test", 12, 5)
        assert (record.cell.convention, record.cell.method.params["variant"]) == ("mib", "mib")


def test_an_altered_value_fails_and_the_place_is_named(hub):
    curve, _ = own_curve(hub)
    curve[4] += 0.03
    (found,) = measured(hub, of({"faithfulness": curve}))
    assert found.worst == 4
    assert found.differences[4] == pytest.approx(-0.03)
    assert found.passes(0.02) is False
    assert found.passes(0.03) is True


def test_what_is_published_of_the_absolute_ranking_is_compared_with_it(hub):
    (found,) = measured(hub, of({}, ranking="absolute"))
    record = Store(hub["options"]["out"]).query()[0]
    assert [p.value for p in found.points] == [p.value for p in record.curves["faithfulness_absolute"]]


def test_rows_that_decide_nothing_are_left_out_where_their_method_is_not_here(hub):
    beside = {"decides": False}
    rows = [{"method": "no-such-method"}, {"method": "eap", "level": "node"}, {"method": "random"},
            {"method": "eap", "params": {"stps": 3}}]  # fmt: skip
    (found,) = measured(hub, of({}, *(row | beside for row in rows)))
    assert found.row.method == "eap"
    with pytest.raises(UsageError, match="no-such-method"):
        measured(hub, of({"method": "no-such-method"}))


def test_a_deciding_row_that_fails_does_not_pass(hub, monkeypatch):
    def broken(work, meter):
        raise MemoryError

    monkeypatch.setattr("mibench.runner.cells.circuit._run_method", broken)
    (found,) = measured(hub, of({}))
    assert "MemoryError" in found.problem.what
    assert found.passes(1e9) is False


def test_without_a_hub_it_says_what_to_do(monkeypatch):
    error = ModelError("gpt2 could not be fetched.", why="No network.", do="Connect.")
    monkeypatch.setattr(needs, "_cached", lambda hub_id, revision: False)
    monkeypatch.setattr(needs, "_hub_obstacle", lambda hub_id, revision, *, gated: error)
    with pytest.raises(ModelError) as caught:
        validate(read_published("published"), {}, Quiet())
    assert "--model FOLDER" in caught.value.do
    assert "--data FOLDER" in caught.value.do


def test_the_folder_of_the_data_is_for_this_comparison_only(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with data_from(tmp_path, "mib/ioi"):
        assert os.environ[VARIABLE] == str(tmp_path)
    assert VARIABLE not in os.environ
    monkeypatch.setenv(VARIABLE, "before")
    with data_from(tmp_path, "mib/ioi"), data_from(None, "mib/ioi"):
        assert os.environ[VARIABLE] == str(tmp_path)
    assert os.environ[VARIABLE] == "before"


@pytest.mark.parametrize(("folder", "task"), [("nowhere", "mib/ioi"), (".", "ioi")])
def test_data_that_cannot_stand_in_is_wrong_usage(folder, task, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="--data"), data_from(folder, task):
        pass


GOOD = {"source": "s", "task": "mib/ioi", "model": "gpt2", "rows": [{"method": "eap", "faithfulness": [0.1] * 10}]}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"rows": []}, "rows"),
        ({"rows": [{"method": "eap"}]}, "no faithfulness"),
        ({"rows": [{"method": "eap", "decides": False}]}, "no row decides"),
        ({"rows": [{"method": "eap", "faithfulness": [0.1] * 9}]}, "9 values for 10 fractions"),
        ({"rows": [{"method": "eap", "faithfulness": [float("nan")] * 10}]}, "finite"),
        ({"tolerance": -1}, "tolerance"),
        ({"split": "private"}, "split"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, change, word):
    file = tmp_path / "curves.yaml"
    file.write_text(yaml.safe_dump(GOOD))
    assert read_published(str(file)).rows[0].method == "eap"
    file.write_text(yaml.safe_dump(GOOD | change))
    with pytest.raises(DataError) as caught:
        read_published(str(file))
    assert word in caught.value.why


@pytest.mark.parametrize("text", ["[", "5", "a: 1\na: 2"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text):
    file = tmp_path / "curves.yaml"
    file.write_text(text)
    with pytest.raises(DataError):
        read_published(str(file))
