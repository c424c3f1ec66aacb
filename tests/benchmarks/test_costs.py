from __future__ import annotations

import json

import pytest
import torch
from click.testing import CliRunner

TIMES = {"unit": [2.0, 1.0, 3.0], "work": [4.0, 8.0, 6.0]}


@pytest.fixture
def costs(script):
    return script("costs")


def test_costs_are_median_smallest_and_largest_over_the_median_unit(costs) -> None:
    assert costs.in_units(TIMES) == {"unit": [1.0, 0.5, 1.5], "work": [3.0, 2.0, 4.0]}


def test_tasks_are_interleaved_after_a_warm_up(costs) -> None:
    called = []
    times = costs.measure({name: lambda name=name: called.append(name) for name in "ab"}, 3)
    assert "".join(called) == "abababab"
    assert {name: len(each) for name, each in times.items()} == {"a": 3, "b": 3}


@pytest.mark.parametrize(("target", "missed"), [(2.9, ["work"]), (3.0, [])])
def test_a_cost_above_its_target_is_missed_and_told(costs, target, missed, capsys) -> None:
    result = costs.beside_targets(TIMES, costs.in_units(TIMES), {"work": target}, 2**30)
    assert (result["missed"], result["repeats"], result["unit_cpu_seconds"]) == (missed, 3, 2.0)
    text = costs.table({"model": "tiny", **result}, "two prompts", ("one line more",)).splitlines()
    assert text[0] == "tiny; two prompts"
    assert text[3].split() == ["work", "3.00", "(2.00", "to", "4.00)", "target", f"{target:.2f}"]
    assert text[4:] == ["one line more", f"Missed: {missed[0] if missed else 'none'}"]
    with pytest.raises(SystemExit) as ended:
        costs.finish(result, "", as_json=True)
    assert ended.value.code == len(missed)
    assert json.loads(capsys.readouterr().out) == result


def test_what_differs_is_not_timed(costs) -> None:
    costs.check("sums", 9e-5)
    for difference in (1e-4, float("nan")):
        with pytest.raises(SystemExit, match="sums of both ways differ"):
            costs.check("sums", difference)


def test_a_circuit_alone_is_without_both_runs(script) -> None:
    times = {"unit": [2.0], "both runs, no circuit": [3.0]}
    times |= {f"{size} circuit and both runs": [seconds] for size, seconds in (("1 %", 4.0), ("50 %", 7.0))}
    found = script("circuit").ratios(times)
    assert (found["1 % circuit"], found["50 % circuit"]) == ([0.5] * 3, [2.0] * 3)


def test_terms_of_memory_are_near_what_is_measured_of_a_tiny_llama(script) -> None:
    words = ["--shape", "tiny", "--batch", "2", "--length", "4", "--steps", "2"]
    done = CliRunner().invoke(script("big").main, words)
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.output.splitlines()[-4:]]
    assert [row[0] for row in rows] == ["model", "passes", "scoring", "evaluation"]
    assert all(0.9 < float(row[3]) < 1.1 for row in rows)


def test_parameters_by_arithmetic_are_those_of_the_model(script) -> None:
    big = script("big")
    for shape in big.LLAMA_KIND.values():
        made = shape.model("meta", torch.float32)
        assert big.params_of(shape) == sum(one.numel() for one in made.parameters())
