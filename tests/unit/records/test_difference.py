"""What differs between two records is named field by field."""

from __future__ import annotations

from datetime import UTC, datetime

from mibench.core.specs import Convention
from mibench.records.difference import cell_differences, record_difference
from mibench.records.record import MetricValue, Provenance, Volatile

from .conftest import MakeRecord


def names(differences: object) -> list[str]:
    return [one.where for one in differences]  # type: ignore[attr-defined]


def made(**fields: object) -> Volatile:
    known = {"mibench": "1", "python": "3.11", "platform": "Linux", "created_at": datetime(2026, 1, 1, tzinfo=UTC)}
    return Volatile(provenance=Provenance.model_validate(known | fields))


def test_a_record_does_not_differ_from_itself(make_record: MakeRecord) -> None:
    found = record_difference(make_record(), make_record())
    assert found.same_cell
    assert [found.versions, found.outcome, found.environment] == [(), (), ()]
    assert all(gap.equal for gap in found.metrics)


def test_each_field_of_the_cell_is_named_from_the_outside_in(make_record: MakeRecord) -> None:
    cell = make_record().cell
    other = cell.model_copy(
        update={
            "convention": Convention.MIB,
            "task": cell.task.model_copy(update={"version": 2, "train_digest": "c" * 64}),
            "method": cell.method.model_copy(update={"params": {"steps": 7, "rule": "left"}, "seed": None}),
        }
    )
    found = {one.where: (one.first, one.second) for one in cell_differences(cell, other)}
    assert found == {
        "task.version": (1, 2),
        "task.train_digest": (None, "c" * 64),
        "method.params.steps": (5, 7),
        "method.params.rule": (None, "left"),
        "method.seed": (0, None),
        "convention": ("mibench", "mib"),
    }


def test_equal_numbers_of_different_types_are_different_parameters(make_record: MakeRecord) -> None:
    cell = make_record().cell
    other = cell.model_copy(update={"method": cell.method.model_copy(update={"params": {"steps": 5.0}})})
    assert other.id != cell.id
    assert names(cell_differences(cell, other)) == ["method.params.steps"]


def test_numbers_and_versions_of_formulas_stand_side_by_side(make_record: MakeRecord) -> None:
    metrics = {"cpr": MetricValue(value=0.25, version=2), "cmd": MetricValue(value=1.0)}
    found = record_difference(make_record(), make_record(metrics=metrics))
    assert names(found.versions) == ["metrics.cpr.version", "metrics.cmd.version"]
    gaps = {gap.name: (gap.difference, gap.equal) for gap in found.metrics}
    assert gaps == {"cpr": (0.25, False), "auroc": (None, True), "cmd": (None, False)}


def test_the_environment_is_what_may_move_a_number_and_not_the_time_or_the_command(make_record: MakeRecord) -> None:
    one = make_record(volatile=made(packages={"torch": "2.1", "numpy": "2.0"}, command=["a"]))
    later = datetime(2027, 1, 1, tzinfo=UTC)
    other = make_record(volatile=made(packages={"torch": "2.2"}, threads=4, command=["b"], created_at=later))
    found = record_difference(one, other).environment
    assert names(found) == ["packages.torch", "packages.numpy", "threads"]
    assert record_difference(one, make_record()).same_cell
