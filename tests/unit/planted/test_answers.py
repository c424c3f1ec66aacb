"""Planted models do what their programs say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from planted_programs import Prompts, naive, names

from mibench.models.load import load_hf
from mibench.planted.build import planted, write_planted


def shares_and_leads(name, count=100):
    """Share of right answers over all sets, and by how much an answer leads all other words."""
    right, leads = [], []
    for title in planted(name).logic.edges:
        prompts = Prompts(planted(name).program, title, count)
        logits = naive(name).logits(prompts.base)
        rows = np.arange(len(logits))
        own = logits[rows, prompts.answers].copy()
        logits[rows, prompts.answers] = -np.inf
        leads.append(own - logits.max(-1))
        right.append(leads[-1] > 0)
    return np.concatenate(right).mean(), np.concatenate(leads)


@pytest.mark.parametrize("name", names(0))
def test_every_answer_is_right_by_several_nats(name):
    share, leads = shares_and_leads(name)
    assert share == 1.0
    assert leads.min() > 4.5


@pytest.mark.parametrize("name", names(1, 2, 3))
def test_difficulty_leaves_answers_right(name):
    assert shares_and_leads(name, 50)[0] >= 0.99


@pytest.mark.parametrize("name", ["planted-choice-gpt2-d2", "planted-carry-llama-d2", "planted-ioi-llama-d3"])
def test_transformers_computes_what_plain_numpy_does(name, tmp_path):
    write_planted(planted(name), tmp_path / name)
    network = load_hf(str(tmp_path / name), dtype="float64")
    prompts = Prompts(planted(name).program, "random", 20)
    with torch.no_grad():
        found = network.model(torch.tensor(prompts.base)).logits[:, -1].numpy()
    # Norms of Llama run in float32 whatever the weights are.
    assert np.abs(found - naive(name).logits(prompts.base)).max() < 2e-3
    texts = [prompts.program.say(base) for base, _ in prompts.rows]
    assert [[0, *network.tokenizer.encode(text)] for text in texts] == prompts.base.tolist()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", ["planted-induction-gpt2", "planted-lookup-llama"])
def test_half_precision_is_enough_for_the_answers(name, dtype, tmp_path):
    write_planted(planted(name), tmp_path / name)
    network = load_hf(str(tmp_path / name), dtype=dtype)
    prompts = Prompts(planted(name).program, "random", 50)
    with torch.no_grad():
        found = network.model(torch.tensor(prompts.base)).logits[:, -1].argmax(-1)
    assert found.tolist() == prompts.answers.tolist()
