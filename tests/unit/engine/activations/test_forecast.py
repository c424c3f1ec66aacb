from __future__ import annotations

from dataclasses import replace

import pytest
from stored import TRANSCODER, request, text

from mibench.engine.activations import forecast as forecast_module
from mibench.engine.activations.forecast import Forecast, forecast, measured_speed
from mibench.engine.activations.store import open_store


def test_sizes_and_times_follow_from_the_request_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(forecast_module, "read", None)
    found = forecast(request(tmp_path), tokens_per_second=69.0)
    size = 23 * 6 * 16 * 4
    assert found == Forecast(size, 0, int(text().scored.sum()), 23 * 6, 2.0)
    assert forecast(request(None, TRANSCODER)) == replace(found, bytes=2 * size, seconds=None)
    assert not list(tmp_path.iterdir())


def test_what_is_stored_already_is_left_out(tmp_path):
    made = request(tmp_path)
    batches = open_store(made).passes()
    next(batches)
    some = forecast(made, 1.0)
    assert (some.passes, some.seconds) == (20 * 6, 120.0)
    assert 3 * 6 * 16 * 4 < some.already_bytes < 3 * 6 * 16 * 4 + 1000
    list(batches)
    assert forecast(made, 1.0).seconds == 0
    content = sum(path.stat().st_size for path in tmp_path.glob("*/chunk-*"))
    assert forecast(made).already_bytes == content == pytest.approx(made.total_bytes, abs=8 * 1000)


def test_the_speed_is_that_of_one_batch(monkeypatch):
    ticks = iter([10.0, 12.0])
    monkeypatch.setattr(forecast_module.time, "perf_counter", lambda: next(ticks))
    assert measured_speed(request()) == 2 * 6 / 2.0
