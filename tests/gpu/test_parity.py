"""A graphics card gives what the processor gives in float64, for every family; and the same bytes every time.

    pytest tests/gpu -m gpu

MIBENCH_TEST_DEVICE names another device (``cpu`` runs the same code where there is no card). The bodies are in
``tests/device_bodies.py``; ``test_bodies_on_the_processor.py`` runs them in every run of the tests.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from device_bodies import (
    BODIES,
    FAMILIES,
    context_sums,
    core_pass,
    deterministic_only,
    difference,
    growth,
    on,
    one_cell,
    trained_dictionary,
)

from mibench.cli.main import main
from mibench.records.encode import stable_bytes
from mibench.records.store import Store

DEVICE = os.environ.get("MIBENCH_TEST_DEVICE", "cuda")
GOLDEN = Path(__file__).parents[1] / "golden"
FLOAT32, BFLOAT16 = 1e-4, 0.3
"""Largest difference from float64, as a share of the largest number: in bfloat16 a random model's own rounding."""
CELLS = 20

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(DEVICE == "cuda" and not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.fixture(autouse=True)
def full_float32():
    """Products of float32 in float32, not in the 10 bits that graphics cards may take for them."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("body", BODIES)
def test_float32_is_near_float64_of_the_processor(body: str, family: str) -> None:
    assert difference(body, family, DEVICE, torch.float32) < FLOAT32


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("body", BODIES)
def test_bfloat16_is_in_sight_of_it(body: str, family: str) -> None:
    assert 0 < difference(body, family, DEVICE, torch.bfloat16) < BFLOAT16


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("body", BODIES)
def test_the_same_bits_every_time(body: str, family: str) -> None:
    first, second = (BODIES[body](on(DEVICE, family)) for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_the_same_cells_and_dictionaries_every_time() -> None:
    assert one_cell(on(DEVICE, "gemma2")) == one_cell(on(DEVICE, "gemma2"))
    assert trained_dictionary(DEVICE) == trained_dictionary(DEVICE)


def test_sums_over_contexts_are_those_of_the_processor_to_the_last_bit() -> None:
    assert context_sums(DEVICE) == context_sums("cpu")


def test_scores_of_a_dictionary_are_the_same_bytes_every_time(tmp_path: Path) -> None:
    assert core_pass(on(DEVICE, "llama"), tmp_path) == core_pass(on(DEVICE, "llama"), tmp_path)


def test_so_they_are_where_only_deterministic_operations_are_let(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    with deterministic_only():
        assert core_pass(on(DEVICE, "llama"), tmp_path) == core_pass(on(DEVICE, "llama"), tmp_path)


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_llama"])
def test_the_same_command_twice_gives_the_same_records(name: str, tmp_path: Path) -> None:
    ground = ["--task", GOLDEN / name / "pairs_B.jsonl", "--model", GOLDEN / name, "--split", "test"]
    words = ["run", *ground, "--method", "eap", "--method", "eap-ig-inputs", "--floor-draws", 1, "--device", DEVICE]
    found = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in (*words, "--out", folder)])
        assert not ended.value.code
        found.append({record.cell.id: (record.status, stable_bytes(record)) for record in Store(folder).query()})
    assert found[0] == found[1]
    assert [status for status, _ in found[0].values()] == ["ok"] * 3


def test_nothing_is_held_after_a_cell() -> None:
    tensors, allocated = growth(DEVICE, CELLS)
    assert tensors <= 0
    assert allocated <= 0
