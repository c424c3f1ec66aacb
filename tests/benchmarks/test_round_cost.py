from __future__ import annotations

import json

import pytest
from click.testing import CliRunner


@pytest.fixture
def lines(script):
    return script("round_cost").all_lines()


def test_all_cells_of_both_tracks_are_counted(lines) -> None:
    assert len({line.cell for line in lines if line.track == "circuit"}) == 12
    assert len({line.cell for line in lines if line.track == "variable"}) == 26
    assert {line.method for line in lines} == {
        *("random", "eap", "eap-ig-inputs"),
        *("full-vector", "das", "dbm", "dbm-pca"),
    }


def test_a_line_is_its_passes_times_parameters_over_the_assumed_speed(script, lines) -> None:
    (line,) = [one for one in lines if (one.cell, one.method) == ("ioi on llama-3.1-8b", "eap")]
    # 1,000 training prompts: both sides and back; 1,000 test prompts: both sides and 14 circuits that differ.
    assert (line.forward, line.backward) == (2 * 1000 + 16 * 1000, 1000)
    shape = script("shapes").SHAPES["llama-3.1-8b"]
    assert line.operations == 19_000 * shape.pass_flops(20)
    assert line.sums == 9000 * shape.score_flops(20)
    seconds = line.operations / (0.4 * 989e12) + line.sums / (0.4 * 67e12)
    assert line.hours[0] == pytest.approx(seconds / 3600)
    assert line.hours[1] == pytest.approx((2 * seconds + 0.01 * 19_000 / 10) / 3600)


def test_training_counts_every_row_at_every_site(lines, script) -> None:
    (line,) = [one for one in lines if (one.cell, one.method) == ("mcqa answer on gemma-2-2b", "das")]
    step = script("round_passes").variable_passes()["mcqa"].step
    # 26 layers and 3 positions, 8 epochs, 110 rows of 3 sets, batches of 64.
    assert line.backward == pytest.approx(26 * 3 * 8 * 330 * step)
    assert line.launches == pytest.approx(26 * 3 * 8 * 330 / 64)
    assert line.sums == pytest.approx(line.launches * 10 * 2304 * 1152**2)
    assert not line.measured


def test_passes_come_from_the_records(script) -> None:
    passes = script("round_passes")
    circuits = passes.circuit_passes()
    assert (circuits["eap"].forward, circuits["eap"].backward) == (2, 1)
    assert (circuits["eap-ig-inputs"].forward, circuits["eap-ig-inputs"].backward) == (6, 5)
    assert 2 < circuits["random"].scoring < circuits["eap"].scoring <= 20
    variables = passes.variable_passes()
    assert {name: one.measured for name, one in variables.items()} == {
        "mcqa": False,
        "arc-easy": False,
        "ioi": True,
        "ravel": True,
        "arithmetic-addition": True,
    }
    assert all(0 < one.step < 1 for one in variables.values())


def test_tables_and_json_agree(script, tmp_path) -> None:
    out = tmp_path / "cost.json"
    for words in ([], ["--cells"]):
        done = CliRunner().invoke(script("round_cost").main, [*words, "--json", str(out)])
        assert done.exit_code == 0, done.output
        assert "Assumed: 20% to 40%" in done.output
    content = json.loads(out.read_text())
    assert len(content) == 12 * 3 + 26 * 4
    assert done.output.count("\n") == 3 + len(content)
