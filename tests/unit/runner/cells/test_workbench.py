from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mibench.models.load import load_hf
from mibench.runner.cells.workbench import Workbench

MODEL = Path(__file__).parents[3] / "golden" / "tiny_gpt2"
ROW = '{"clean": "ab", "counterfactual": "ac", "correct": "d", "incorrect": "e"}'


@dataclass(frozen=True)
class Letters:
    bos_id: int | None
    shift: int = 0

    def encode(self, text: str) -> list[int]:
        return [ord(letter) - 96 + self.shift for letter in text]


@pytest.fixture
def digest(tmp_path):
    task = tmp_path / "letters.jsonl"
    task.write_text(ROW)
    hf = load_hf(str(MODEL))

    def of(tokenizer) -> str:
        return Workbench(replace(hf, tokenizer=tokenizer)).examples(str(task), "train", None).digest

    return of


def test_the_same_text_under_another_tokenizer_or_bos_has_another_digest(digest):
    assert digest(Letters(1)) == digest(Letters(1))
    assert len({digest(Letters(1)), digest(Letters(2)), digest(Letters(None)), digest(Letters(1, shift=5))}) == 4


def test_the_state_of_a_model_changes_with_its_weights_and_buffers():
    bench = Workbench(load_hf(str(MODEL)))
    before = bench.state()
    assert bench.state() == before
    next(iter(bench.hf.model.buffers()), next(bench.hf.model.parameters())).data.add_(1)
    assert bench.state() != before
