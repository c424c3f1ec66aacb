from __future__ import annotations

import json

import pytest
import torch
from click.testing import CliRunner

WORK = {
    "forward",
    "forward and backward",
    "EAP",
    "EAP-IG-inputs, 5 steps",
    "both runs, no circuit",
    "ten circuits and both runs",
    "swap at 3 layers, last token",
    "DAS step, middle layer, last token",
    "activations, half-way up",
    "activations and a dictionary's sums",
    "losses of a dictionary",
    "TopK training, 20 steps",
}
SMALL = ["--shape", "tiny", "--device", "cpu", "--batch", "2", "--tokens", "6", "--repeats", "1", "--dtype", "float32"]


def test_a_tiny_shape_runs_on_the_processor_and_everything_is_timed(script, tmp_path) -> None:
    out = tmp_path / "gpu.json"
    done = CliRunner().invoke(script("gpu").main, [*SMALL, "--json", str(out)])
    assert done.exit_code == 0, done.output
    found = json.loads(out.read_text())
    assert f"torch {torch.__version__}" in found["about"] == done.output.splitlines()[0]
    (shape,) = found["shapes"]
    rows = {row["name"]: row for row in shape["rows"]}
    assert set(rows) == WORK
    for name, row in rows.items():
        assert name in done.output
        assert min(row["seconds"]) > 0
        assert row["ratios"]["forward"] > 0
        assert row["share_of_peak"] is None
        assert row["operations"] > 0
    passes = {name: (row["forward_passes"], row["backward_passes"]) for name, row in rows.items()}
    # Two prompts: EAP runs both sides and goes back once; five steps from the ablated end share that run.
    assert passes["forward and backward"] == (2, 2)
    assert passes["EAP"] == (4, 2)
    assert passes["EAP-IG-inputs, 5 steps"] == (12, 10)
    assert passes["both runs, no circuit"] == (4, 0)


def test_work_that_runs_out_of_memory_is_told_and_the_rest_goes_on(script, tmp_path, monkeypatch) -> None:
    gpu, out = script("gpu"), tmp_path / "gpu.json"

    def out_of_memory(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr(script("gpu_work"), "evaluate", out_of_memory)
    done = CliRunner().invoke(gpu.main, [*SMALL, "--json", str(out)])
    assert done.exit_code == 1
    rows = {row["name"]: row for row in json.loads(out.read_text())["shapes"][0]["rows"]}
    assert set(rows) == WORK
    assert "Tried to allocate" in rows["ten circuits and both runs"]["problem"]
    assert {name for name, row in rows.items() if "problem" in row} == {
        "both runs, no circuit",
        "ten circuits and both runs",
    }


def test_a_shape_that_does_not_fit_is_told_and_the_next_one_runs(script, tmp_path, monkeypatch) -> None:
    gpu, out = script("gpu"), tmp_path / "gpu.json"
    made = gpu.Ground.make

    def too_small(shape, *rest):
        if shape.name == "gpt2":
            raise torch.OutOfMemoryError
        return made(shape, *rest)

    monkeypatch.setattr(gpu.Ground, "make", too_small)
    done = CliRunner().invoke(gpu.main, [*SMALL, "--shape", "gpt2", "--json", str(out)])
    assert done.exit_code == 1
    tiny, gpt2 = json.loads(out.read_text())["shapes"]
    assert len(tiny["rows"]) == len(WORK)
    assert "does not fit" in gpt2["problem"]
    assert "does not fit" in done.output


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H200", 989e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA L40S", 362e12),
        ("NVIDIA GeForce RTX 4090", 165e12),
        ("NVIDIA H200 NVL", None),
        ("NVIDIA H100 PCIe", None),
        ("Tesla T4", None),
    ],
)
def test_a_peak_is_said_of_known_cards_only(script, name, peak) -> None:
    assert script("gpu").peak_of(name) == peak


def test_shapes_have_the_sizes_of_their_models(script) -> None:
    shapes = script("shapes").SHAPES
    # Edges as in MIB's leaderboard; parameters as the models' cards say, embeddings counted where they are untied.
    edges = {"gpt2": 32_491, "qwen2.5-0.5b": 179_749, "gemma-2-2b": 74_218, "llama-3.1-8b": 1_592_881}
    assert {name: shapes[name].graph.n_edges for name in edges} == edges
    sizes = {name: (one.block_params + one.head_params) / 1e9 for name, one in shapes.items() if name in edges}
    assert sizes["qwen2.5-0.5b"] == pytest.approx(0.494, abs=0.002)
    assert sizes["gemma-2-2b"] == pytest.approx(2.61, abs=0.01)
    assert sizes["llama-3.1-8b"] + shapes["llama-3.1-8b"].head_params / 1e9 == pytest.approx(8.03, abs=0.01)
    assert shapes["gpt2"].pass_flops(10, answers=2) == 2 * (84_934_656 * 10 + 2 * 768 * 50_257)
    assert shapes["gpt2"].score_flops(10) == 2 * 32_491 * 768 * 10
