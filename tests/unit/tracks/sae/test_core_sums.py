"""Sums over the tokens of contexts: one token after the other, to the last bit."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from core_family import subject
from dictionary_examples import example
from hypothesis import given, settings
from hypothesis import strategies as st

import mibench.tracks.sae.core_sums as module
from mibench.engine.activations.store import BlockBatch
from mibench.metrics.sae.core_tables import CONTEXT_COLUMNS
from mibench.tracks.sae.core_sums import SubjectSums, TargetSums, add_by_context

WIDTH = 16


def one_after_the_other(values: np.ndarray, context: np.ndarray, n: int) -> np.ndarray:
    found = np.zeros((n, values.shape[1]))
    for row, own in zip(values, context, strict=True):
        found[own] = found[own] + row
    return found


@settings(deadline=None, max_examples=60)
@given(lengths=st.lists(st.integers(0, 40), max_size=9), width=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
def test_sums_are_those_of_a_loop_over_tokens_bit_by_bit(lengths: list[int], width: int, seed: int) -> None:
    rng, n = np.random.default_rng(seed), len(lengths) + 1
    context = np.repeat(np.arange(len(lengths)), lengths)
    # Of very different sizes, so that another order gives other bits.
    values = rng.normal(size=(len(context), width)) * 10 ** rng.uniform(-9, 9, (len(context), width))
    sums = torch.zeros(n, width, dtype=torch.float64)
    add_by_context(sums, torch.from_numpy(context), torch.from_numpy(values))
    assert sums.numpy().tobytes() == one_after_the_other(values, context, n).tobytes()


def test_another_order_would_give_other_bits() -> None:
    values = torch.tensor([[1.0], [1e-16], [1e-16], [-1.0]], dtype=torch.float64)
    sums, other = torch.zeros(1, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
    add_by_context(sums, torch.zeros(4, dtype=torch.long), values)
    add_by_context(other, torch.zeros(4, dtype=torch.long), values.flip(0))
    assert sums.tolist() != other.tolist()


def test_contexts_that_no_token_is_of_stay_as_they_are() -> None:
    sums = torch.tensor([[1.0], [2.0], [3.0]], dtype=torch.float64)
    add_by_context(sums, torch.tensor([2, 2]), torch.tensor([[0.5], [0.25]], dtype=torch.float64))
    add_by_context(sums, torch.tensor([], dtype=torch.long), torch.zeros(0, 1, dtype=torch.float64))
    assert sums.flatten().tolist() == [1.0, 2.0, 3.75]


def text(seed: int = 0, contexts: int = 7, length: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    scored = torch.rand(contexts, length, generator=generator) < 0.7
    scored[3] = False
    return scored, torch.randn(contexts, length, WIDTH, generator=generator) * 3


def batches(scored: torch.Tensor, x: torch.Tensor, size: int) -> Iterator[BlockBatch]:
    for start in range(0, len(x), size):
        rows = slice(start, min(start + size, len(x)))
        yield BlockBatch(rows, scored[rows].long(), scored[rows], x[rows], x[rows])


def tables(size: int, limit: float = 11.0) -> dict[str, np.ndarray]:
    scored, x = text()
    targets = TargetSums(scored.numpy(), np.arange(3), WIDTH, x.device, limit)
    sums = SubjectSums(subject(example("relu", WIDTH, 24), torch.float32).coder, len(x), limit=limit)
    for batch in batches(scored, x, size):
        context = batch.scored.nonzero()[:, 0] + batch.rows.start
        targets.add(batch, batch.targets[batch.scored], context)
        sums.add(batch.inputs[batch.scored], batch.targets[batch.scored], context)
    table = sums.table(targets, np.zeros(len(x), dtype=int))
    return {name: table[name].to_numpy() for name in CONTEXT_COLUMNS}


def test_what_is_summed_of_targets_is_summed_token_by_token() -> None:
    scored, x = text()
    context = scored.nonzero()[:, 0].numpy()
    squares = x[scored].double().square().sum(-1)
    norms = squares.sqrt()
    kept = (norms <= 11.0).double()
    values = torch.stack([squares, norms, kept, squares * kept], 1).numpy()
    expected = one_after_the_other(values, context, len(x))
    found = tables(3)
    assert 0 < found["ordinary"].sum() < len(context)
    for column, name in enumerate(("squared_target", "target_norm", "ordinary", "ordinary_target")):
        assert found[name].tobytes() == np.ascontiguousarray(expected[:, column]).tobytes(), name


def test_sums_do_not_depend_on_how_tokens_are_taken_together(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tables(7)
    assert {name: column.tobytes() for name, column in tables(2).items()} == {
        name: column.tobytes() for name, column in whole.items()
    }
    # Parts of five tokens end within contexts. Products of fewer rows may round otherwise, sums over tokens not more.
    monkeypatch.setattr(module, "MAX_LATENTS", 24 * 5)
    for name, column in tables(7).items():
        np.testing.assert_allclose(column, whole[name], rtol=1e-6, err_msg=name)


def test_nothing_is_added_by_index() -> None:
    source = inspect.getsource(module)
    assert not any(word in source for word in ("index_add", "scatter_add", "accumulate=True"))
