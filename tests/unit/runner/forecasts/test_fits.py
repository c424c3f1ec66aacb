from __future__ import annotations

import ctypes
import gc
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import tiny_model

from mibench.core.errors import ModelError
from mibench.core.specs import Level, Track
from mibench.engine.attribution.edges import Attribution, attribute_edges
from mibench.engine.circuits.evaluate import Evaluation, evaluate
from mibench.engine.model import LanguageModel
from mibench.graph.circuit import Circuit
from mibench.methods.method import METHODS
from mibench.models.footprint import Footprint, footprint
from mibench.records.store import Store
from mibench.runner.cells.batch_sizes import of_at_most
from mibench.runner.cells.meter import Meter
from mibench.runner.forecasts import device_memory, fits
from mibench.runner.forecasts.fits import WITHIN, fit_problem, needed, refusal
from mibench.runner.forecasts.prompt_sizes import prompt_sizes
from mibench.runner.forecasts.working_memory import Load, attribution, evaluation
from mibench.runner.plan import Job
from mibench.runner.settings import RunSettings
from mibench.tasks.encode import EncodedPair
from mibench.tasks.variable_task import load_variable_task

PUBLISHED = Path(__file__).parents[4] / "leaderboard" / "records"
LLAMA = Footprint(8_030_261_248, 32, 32, 8, 128, 4096, 14336, 128_256)
GB = 10**9


def job(method="eap", *, task="ioi", model="smollm2-135m", **params) -> Job:
    found = METHODS.load(method)
    return Job(task, model, found, found.parameters(params), None)


def settings(**values) -> RunSettings:
    return RunSettings.model_validate({"task": "ioi", "method": "eap", "limit": 100} | values)


@pytest.fixture
def on_a_card(monkeypatch):
    """A card with so much memory, and Llama-3.1-8B."""

    def has(n_bytes: int) -> None:
        monkeypatch.setattr(fits, "memory_for", lambda _: n_bytes)
        monkeypatch.setattr(fits, "total_memory", lambda _: n_bytes)
        monkeypatch.setattr(fits, "footprint", lambda _: LLAMA)

    return has


def test_the_memory_of_stored_records_is_told_within_the_factor():
    """Of those made on this engine's stages at SmolLM2's size: weights, Python and what a stage holds."""
    if not PUBLISHED.is_dir():
        pytest.skip("the published records are not beside the tests")
    far = []
    for record in Store(PUBLISHED).query():
        cell, cost, made = record.cell, record.volatile.cost, record.volatile.provenance
        if record.status != "ok" or cost is None or not cost.peak_bytes or made is None:
            continue
        sets = len(load_variable_task(cell.task.name).parts.sets) if cell.track is Track.VARIABLE else 1
        own = settings(
            limit=max(1, (cell.task.limit or 1) // sets), train_limit=max(1, (cell.task.train_limit or 1) // sets),
            level=cell.level or Level.EDGE, split=cell.task.split, batch_size=made.batch_size,
        )  # fmt: skip
        one = Job(cell.task.name, cell.model.name, METHODS.load(cell.method.name), cell.method.params, None)
        need = needed(one, own)
        assert need is not None
        if not 1 / WITHIN <= need.total / cost.peak_bytes <= WITHIN:
            far.append((cell.method.name, cell.task.name, need.total, cost.peak_bytes))
    assert far == []


def wide(n_layers: int = 8, n_heads: int = 16) -> LanguageModel:
    """A model whose stages take much more than itself."""
    sizes = {"n_embd": 256, "n_layer": n_layers, "n_head": n_heads, "n_positions": 64}
    return LanguageModel(tiny_model("gpt2", torch.float32, **sizes))


def peak(work) -> int:
    """Bytes that a piece of work holds at most, above what is there before."""
    gc.collect()
    if sys.platform == "linux":  # what was freed would hide what is taken
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    with Meter() as before:
        pass
    with Meter() as meter:
        work()
    return (meter.cost().peak_bytes or 0) - (before.cost().peak_bytes or 0)


def pairs(n: int, length: int) -> list[EncodedPair]:
    """Pairs that differ from the second token on."""
    found = []
    for row in range(n):
        clean = [1, *(2 + (row + place) % 30 for place in range(length - 1))]
        other = [1, *(2 + (row + 7 * place + 3) % 30 for place in range(length - 1))]
        found.append(EncodedPair(str(row), tuple(clean), tuple(other), (3,), (4,)))
    return found


@pytest.mark.slow
def test_formulas_of_attribution_and_evaluation_are_those_of_the_engine(tmp_path):
    model, examples = wide(), pairs(40, 33)
    model.hf.save_pretrained(tmp_path)
    size = footprint(str(tmp_path))
    assert size is not None
    load = Load(size, "float32", 40, 40 * 33.0, 40 * 32.0)
    batching = {"batch_size": 40, "batch_tokens": 40 * 33}
    _ = model.folded, model.out_weights
    attribute_edges(model, examples[:2], Attribution(batch_size=2))
    found = peak(lambda: attribute_edges(model, examples, Attribution(**batching, chunk_tokens=256)))
    assert found > 200e6
    assert 1 / WITHIN <= attribution(load) / found <= WITHIN
    kept = model.graph.real_mask & (np.random.default_rng(0).random(model.graph.shape) < 0.9)
    options = Evaluation(**batching)
    found = peak(lambda: evaluate(model, examples, [Circuit(model.graph, kept)], options))
    assert 1 / WITHIN <= evaluation(load, Level.EDGE) / found <= WITHIN


def test_a_job_that_fits_is_not_refused(on_a_card):
    on_a_card(80 * GB)
    assert fit_problem(job(), settings(device="cuda", dtype="bfloat16", batch_size=8)) is None
    assert refusal(job(), settings(device="cuda", dtype="bfloat16", batch_size=8)) is None


def test_a_job_that_cannot_fit_is_refused_with_what_is_needed_what_there_is_and_what_would_fit(on_a_card):
    on_a_card(34 * GB)
    problem = refusal(job(), settings(device="cuda", batch_size=20))
    assert isinstance(problem, ModelError)
    assert "does not fit cuda" in problem.what
    assert "32.1 GB weights" in problem.why
    assert "there are 34 GB" in problem.why
    assert "--dtype bfloat16" in problem.do


def test_what_fits_with_smaller_batches_or_an_empty_device_is_begun(on_a_card, monkeypatch):
    own = settings(device="cuda", dtype="bfloat16", batch_size=64, batch_tokens=100_000)
    on_a_card(1)
    alone = needed(job(), of_at_most(own, 1))
    assert alone is not None
    on_a_card(alone.least)
    assert fit_problem(job(), own) is not None
    assert refusal(job(), own) is None
    monkeypatch.setattr(fits, "memory_for", lambda _: 1)
    assert refusal(job(), own) is None
    on_a_card(alone.least - 1)
    assert refusal(job(), own) is not None


def test_the_batch_that_is_advised_fits(on_a_card):
    own = settings(device="cuda", dtype="bfloat16", batch_size=64, batch_tokens=100_000)
    there = needed_with(on_a_card, own.model_copy(update={"batch_size": 20}))
    on_a_card(there)
    problem = fit_problem(job(), own)
    assert problem is not None
    words = problem.do.split()
    advised = int(words[words.index("--batch-size") + 1].strip(","))
    fitting = needed(job(), own.model_copy(update={"batch_size": advised}))
    larger = needed(job(), own.model_copy(update={"batch_size": 2 * advised}))
    assert fitting is not None
    assert larger is not None
    assert fitting.total <= there < larger.total


def needed_with(on_a_card, own: RunSettings) -> int:
    on_a_card(1)
    need = needed(job(), own)
    assert need is not None
    return need.total


def test_where_weights_alone_are_too_large_only_a_larger_device_is_advised(on_a_card):
    on_a_card(10 * GB)
    problem = fit_problem(job(), settings(device="cuda", dtype="bfloat16"))
    assert problem is not None
    assert problem.do.startswith("Use a device with ")


def test_what_may_fit_within_the_factor_is_not_refused(on_a_card):
    own = settings(device="cuda", dtype="bfloat16")
    on_a_card(1)
    need = needed(job(), own)
    assert need is not None
    on_a_card(need.least)
    assert fit_problem(job(), own) is None
    on_a_card(need.least - 1)
    assert fit_problem(job(), own) is not None


def test_what_cannot_be_told_is_not_refused(monkeypatch):
    assert needed(job(model="org/unknown@main"), settings()) is None
    assert fit_problem(job(model="org/unknown@main"), settings()) is None
    assert fit_problem(job(model="none", task="sae-synthetic-toy"), settings()) is None
    assert fit_problem(job(), settings(device="meta")) is None
    monkeypatch.setattr(fits, "memory_for", lambda _: None)
    assert fit_problem(job(), settings()) is None


@pytest.mark.parametrize(("name", "least"), [("eap", 1), ("eap-ig-inputs", 1), ("edge-pruning", 1), ("random", 1)])
def test_memory_grows_with_the_batch_and_with_the_type(name, least, on_a_card):
    on_a_card(1)
    sizes = [needed(job(name), settings(batch_size=size, batch_tokens=10_000)) for size in (least, 8, 64)]
    totals = [size.total for size in sizes if size is not None]
    assert len(totals) == 3
    if name != "edge-pruning":  # its batches are its own
        assert totals == sorted(set(totals))
    half = needed(job(name), settings(dtype="bfloat16"))
    whole = needed(job(name), settings(dtype="float32"))
    assert half is not None
    assert whole is not None
    assert half.weights * 2 == whole.weights
    assert half.total < whole.total


def test_prompts_of_a_task_are_measured_without_a_tokenizer(monkeypatch):
    # What other tests put where the hub's data would be is not known here.
    prompt_sizes.cache_clear()
    monkeypatch.setattr("mibench.runner.forecasts.prompt_sizes.data_is_here", lambda data: False)
    found = prompt_sizes("ioi", "test", Track.CIRCUIT)
    assert found is not None
    assert 15 < found.tokens < 30  # 19.8 with SmolLM2's
    assert found.fresh < found.tokens
    assert prompt_sizes("mib/ioi", "test", Track.CIRCUIT) is None
    assert prompt_sizes("sae-core", "test", Track.SAE) is None
    assert prompt_sizes("no-such-task", "test", Track.CIRCUIT) is None


class TestMemoryOfDevices:
    def test_a_machine_has_what_is_free_and_what_this_process_holds(self):
        found = device_memory.memory_for("cpu")
        assert found is not None
        assert found > 10**8

    def test_a_limit_of_a_container_goes_before_what_the_machine_has(self, tmp_path, monkeypatch):
        (tmp_path / "max").write_text("1048576\n")
        (tmp_path / "none").write_text("max\n")
        limits = (str(tmp_path / "none"), str(tmp_path / "absent"), str(tmp_path / "max"))
        monkeypatch.setattr(device_memory, "_LIMIT_FILES", limits)
        assert device_memory.memory_for("cpu") == device_memory.total_memory("cpu") == 1048576

    def test_a_card_is_asked_for_without_starting_it(self, monkeypatch, tmp_path):
        tool = tmp_path / "nvidia-smi"
        tool.write_text(
            '#!/bin/sh\ncase "$*" in *total*) echo 90000;; *--id=GPU-b*) echo 40960;; *) echo 81559;; esac\n'
        )
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        device_memory._asked.cache_clear()
        assert device_memory.memory_for("cuda:1") == 81559 * 2**20
        assert device_memory.total_memory("cuda:1") == 90000 * 2**20
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")
        device_memory._asked.cache_clear()
        assert device_memory.memory_for("cuda:1") == 40960 * 2**20
        assert not torch.cuda.is_initialized()
        device_memory._asked.cache_clear()

    @pytest.mark.parametrize("device", ["auto", "cuda:0,cuda:1", "meta", "mps"])
    def test_of_other_devices_nothing_is_said(self, device):
        assert device_memory.memory_for(device) is device_memory.total_memory(device) is None

    def test_free_memory_is_asked_for_again(self, monkeypatch, tmp_path):
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        monkeypatch.setattr(device_memory, "_FRESH_SECONDS", 1e-6)
        tool = tmp_path / "nvidia-smi"
        for free in (5, 7):
            tool.write_text(f"#!/bin/sh\necho {free}\n")
            tool.chmod(0o755)
            assert device_memory.memory_for("cuda:0") == free * 2**20
        device_memory._asked.cache_clear()
