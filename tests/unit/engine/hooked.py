"""Interchange interventions the naive way: hooks on the transformers modules, a whole pass a row and intervention."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import VOCAB, tiny_model
from torch import Tensor

from mibench.core.sites import Component, Site
from mibench.engine.interchange.options import Edit, Intervention, SiteEdit
from mibench.engine.model import LanguageModel
from mibench.tasks.interchange import EncodedInterchange, LinearTarget

FAMILIES = (
    *("gpt2", "llama", "qwen2", "gemma2", "gpt_neox", "mistral"),
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("gpt2_scaled", "gpt_neox_sequential", "mistral_eager")),
)
EXACT = {"rtol": 0, "atol": 1e-9}
PRE, POST, HEAD, MLP = Component

# Blocks in the model, and in a block: the heads' output projection, the module whose output the stream gets.
_PATHS = {
    "gpt2": ("transformer.h", "attn.c_proj", "mlp"),
    "gpt_neox": ("gpt_neox.layers", "attention.dense", "mlp"),
    "gemma2": ("model.layers", "self_attn.o_proj", "post_feedforward_layernorm"),
}
_LLAMA = ("model.layers", "self_attn.o_proj", "mlp")


@cache
def engine(name: str) -> LanguageModel:
    return LanguageModel(tiny_model(name))


class Hooked:
    """A transformers model whose modules are hooked for each pass.

    Args:
        name: Of the tiny model.
    """

    def __init__(self, name: str) -> None:
        self.hf = engine(name).hf
        blocks, self._out, self._mlp = next((_PATHS[family] for family in _PATHS if name.startswith(family)), _LLAMA)
        self._blocks = self.hf.get_submodule(blocks)
        self._heads = self.hf.config.num_attention_heads
        self._read: dict[tuple[tuple[int, ...], Site, tuple[int, ...]], Tensor] = {}

    def activations(self, ids: Sequence[int], site: Site, positions: Sequence[int]) -> Tensor:
        """``[n_pos, width]``."""
        seen: list[Tensor] = []

        def look(value: Tensor) -> Tensor:
            seen.append(self._part(value, site)[0, list(positions)].detach().clone())
            return value

        with torch.no_grad():
            self._run(ids, [(site, look)])
        return seen[0]

    def logits(self, row: EncodedInterchange, intervention: Intervention, more: Sequence[int] = ()) -> Tensor:
        """Logits after every token of the base prompt and ``more``, ``[pos, vocab]``."""
        hooks = [(one.site, self._editing(row, one.site, one.edit)) for one in intervention]
        return self._run((*row.base, *more), hooks)

    def _editing(self, row: EncodedInterchange, site: Site, edit: Edit) -> Any:
        key = (row.source, site, row.source_positions[site.position])
        if key not in self._read:
            self._read[key] = self.activations(*key)
        source = self._read[key]
        at = list(row.base_positions[site.position])

        def change(value: Tensor) -> Tensor:
            changed = value.clone()
            self._part(changed, site)[0, at] = edit(self._part(value, site)[:, at], source[None])[0]
            return changed

        return change

    def _part(self, value: Tensor, site: Site) -> Tensor:
        if site.head is None:
            return value
        return value.view(*value.shape[:2], self._heads, -1)[:, :, site.head]

    def _run(self, ids: Sequence[int], hooks: Sequence[tuple[Site, Any]]) -> Tensor:
        with ExitStack() as stack:
            for site, change in hooks:
                stack.callback(self._register(site, change).remove)
            return self.hf(input_ids=torch.tensor([list(ids)]), use_cache=False).logits[0]

    def _register(self, site: Site, change: Any) -> Any:
        block = self._blocks[site.layer]

        def before(_: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
            return change(args[0]), *args[1:]

        def after(_: Any, __: Any, output: Any) -> Any:
            return (change(output[0]), *output[1:]) if isinstance(output, tuple) else change(output)

        if site.component is Component.RESIDUAL_PRE:
            return block.register_forward_pre_hook(before)
        if site.component is Component.HEAD:
            return block.get_submodule(self._out).register_forward_pre_hook(before)
        module = block if site.component is Component.RESIDUAL_POST else block.get_submodule(self._mlp)
        return module.register_forward_hook(after)

    def greedy(self, row: EncodedInterchange, intervention: Intervention, count: int) -> tuple[int, ...]:
        """The likeliest continuation, a whole pass a token."""
        found: tuple[int, ...] = ()
        with torch.no_grad():
            for _ in range(count):
                found = (*found, int(self.logits(row, intervention, found)[-1].argmax()))
        return found


def bent(base: Tensor, source: Tensor) -> Tensor:
    """Something that is no swap: every dimension, and both sides, matter."""
    return 0.7 * base + torch.tanh(source) * base.flip(-1)


def whole(base: Tensor, source: Tensor) -> Tensor:
    """The full swap."""
    return source.clone()


def identity(base: Tensor, source: Tensor) -> Tensor:
    """No change."""
    return base


def made_rows(*, equal: bool = False, seed: int = 0) -> list[EncodedInterchange]:
    """Rows of several lengths, not in order, with labels of one to three tokens.

    Args:
        equal: Base and source are equally long; then there is a position ``all``.
        seed: For the tokens.
    """
    rng = np.random.default_rng(seed)
    made = []
    for place, (length, other) in enumerate([(9, 7), (6, 9), (11, 11), (9, 12), (6, 6), (8, 7), (9, 9)]):
        base = tuple(rng.integers(0, VOCAB, length).tolist())
        source = tuple(rng.integers(0, VOCAB, length if equal else other).tolist())
        answers = tuple(tuple(rng.integers(0, VOCAB, 1 + (place + more) % 3).tolist()) for more in range(2))
        made.append(
            EncodedInterchange(
                id=f"row-{place}",
                set="one" if place % 2 else "two",
                base=base,
                source=source,
                base_positions=_positions(base, place, equal=equal),
                source_positions=_positions(source, place, equal=equal),
                accepted=answers,
                base_accepted=answers[:1],
                source_accepted=answers[1:],
                cause=True,
                target=LinearTarget((int(rng.integers(20)), int(20 + rng.integers(20))), (1.0,), (1.0,))
                if place % 3
                else None,
            )
        )
    return made


def _positions(ids: tuple[int, ...], place: int, *, equal: bool) -> dict[str, tuple[int, ...]]:
    length = len(ids)
    return {
        "first": (0,),
        "middle": (length // 2 - place % 2,),
        "span": tuple(range(1, 3 + place % 2)),
        "last": (length - 1,),
    } | ({"all": tuple(range(length))} if equal else {})


def one(layer: int, position: str, component: Component = POST, head: int | None = None, edit=bent) -> Intervention:
    return (SiteEdit(Site(layer, position, component, head), edit),)


def single_sites(model: LanguageModel, positions: tuple[str, ...]) -> list[Intervention]:
    """Every component of every layer, positions taking turns."""
    found, turn = [], 0
    for layer in range(model.anatomy.n_layers):
        for component, head in ((PRE, None), (POST, None), (MLP, None), (HEAD, 0), (HEAD, model.anatomy.n_heads - 1)):
            found.append(one(layer, positions[turn % len(positions)], component, head))
            turn += 1
    return found


def joint_sites(model: LanguageModel) -> list[Intervention]:
    """Several sites at once: in one layer, in several, twice at one place, not in the order of the network."""
    end = model.anatomy.n_layers - 1
    heads = tuple(one(layer, "last", HEAD, head)[0] for layer in (0, end) for head in (1, 3))
    return [
        heads,
        one(end, "last", POST) + one(0, "span", MLP) + one(0, "middle", HEAD, 2),
        one(1, "middle", PRE) + one(0, "middle", POST, edit=whole) + one(1, "last", HEAD, 0),
        one(0, "last", POST) + one(0, "last", MLP) + one(0, "last", PRE) + one(0, "last", HEAD, 1),
        one(end, "first", MLP) + one(end, "middle", POST),
    ]
