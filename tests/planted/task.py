"""The planted network's prompts as text, and as a task that the command line can be given."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from mibench.core.registry import Component
from mibench.tasks.causal.model import CausalModel, Variable
from mibench.tasks.checker import forced
from mibench.tasks.encode import TextEncoder
from mibench.tasks.interchange import InterchangeRow
from mibench.tasks.positions import last, regex
from mibench.tasks.variable_task import VARIABLE_TASKS, Parts, Training, variable_task
from planted.model import planted_model
from planted.plan import VARIABLES, Plan
from planted.rows import Prompt

PLAN = Plan()
SETS = ("both", "only_a", "only_b")
"""What differs between base and source."""
CAUSAL = CausalModel(
    "planted",
    (
        Variable("a", domain=range(PLAN.n_values)),
        Variable("b", domain=range(PLAN.n_values)),
        Variable("raw_output", VARIABLES, lambda a, b: f"y{a}{b}"),
    ),
)


def write_planted(folder: Path, architecture: str = "gpt2") -> Path:
    """Write the network and its tokenizer to ``folder``."""
    words = ["<bos>"]
    for name, value, which in product(VARIABLES, range(PLAN.n_values), range(PLAN.synonyms)):
        words.append(f"{' ' * (name == 'b')}{name}{value}.{which}")
    words += [f" q{which}" for which in range(PLAN.n_queries)]
    words += [f" y{a}{b}" for a, b in product(range(PLAN.n_values), repeat=2)]
    inner = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="<bos>"))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(" ?[a-z][0-9.]+"), behavior="isolated")
    PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<bos>", unk_token="<bos>").save_pretrained(folder)
    planted_model(architecture, PLAN, torch.float32).save_pretrained(folder)
    return folder


def said(prompt: Prompt) -> str:
    """The prompt as text."""
    a, b = (f"{name}{prompt.values[name]}.{prompt.synonyms[name]}" for name in VARIABLES)
    return f"{a} {b} q{prompt.query}"


def rows(split: str, encoder: TextEncoder | None) -> Iterator[InterchangeRow]:
    """Yield 48 rows of each set, values and synonyms drawn by the split's name."""
    rng = np.random.default_rng(list(split.encode()))
    for place, name in product(range(48), SETS):
        base = rng.integers(PLAN.n_values, size=2)
        shift = rng.integers(1, PLAN.n_values, size=2) * [name != "only_b", name != "only_a"]
        source = (base + shift) % PLAN.n_values
        both = [Prompt.draw(PLAN, rng, int(a), int(b)) for a, b in (base, source)]
        yield InterchangeRow(str(place), name, both[0].values, both[1].values, *map(said, both))


@variable_task(name="planted", version=1, variables=("a", "b"), citation="Nobody 2026", licence="Apache-2.0")
def planted_task() -> Parts:
    """Two variables that were put into a network by hand."""
    return Parts(
        causal=CAUSAL,
        sets=SETS,
        positions=(last(), regex("a", r"a\S+"), regex("b", r"b\S+")),
        checker=forced(lambda output: (f" {output}",)),
        rows=rows,
        sizes={"a": PLAN.k, "b": PLAN.k},
        training=Training(epochs=20, batch=32, lr=6e-2),
    )


def register(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command line find the task, for one test."""
    known = Component("variable_task", "planted", "planted.task", "planted_task", {"variables": VARIABLES})
    monkeypatch.setitem(VARIABLE_TASKS.components, "planted", known)
