"""Reading the reference vectors of ``tests/golden``."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mibench.tasks.encode import EncodedPair

GOLDEN = Path(__file__).parent / "golden"
TINY = ("tiny_gpt2", "tiny_llama", "tiny_gemma2")
SETS = ("A", "B")


@cache
def arrays(name: str, file: str = "outputs") -> dict[str, NDArray[Any]]:
    """All arrays of ``outputs.npz`` or ``outputs_corrected.npz``."""
    with np.load(GOLDEN / name / f"{file}.npz") as stored:
        return {key: stored[key] for key in stored.files}


@cache
def curves(name: str) -> dict[str, Any]:
    """The reference's faithfulness curves."""
    return dict(json.loads((GOLDEN / name / "outputs.json").read_text())["curves"])


def golden_pairs(name: str, which: str) -> list[EncodedPair]:
    """Examples of set A (one length) or B (several), or of ``smollm2_ioi`` (``which`` empty)."""
    file = GOLDEN / name / (f"pairs_{which}.jsonl" if which else "pairs.jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    return [
        EncodedPair(
            id=str(index),
            clean=tuple(row["clean"]),
            counterfactual=tuple(row["counterfactual"]),
            correct=(row["correct"],),
            incorrect=(row["incorrect"],),
        )
        for index, row in enumerate(rows)
    ]


def golden_model(name: str, dtype: torch.dtype = torch.float64) -> Any:
    """The transformers model of a golden folder."""
    from transformers import AutoModelForCausalLM

    kernel = "eager" if name == "tiny_gemma2" else "sdpa"
    return AutoModelForCausalLM.from_pretrained(GOLDEN / name, dtype=dtype, attn_implementation=kernel)
