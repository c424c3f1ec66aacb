"""Small networks, and the same ones in transformers with nodes swapped by hooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel

from mibench.siit.alignment import place_of
from mibench.siit.network import Network, Sizes

SIZES = Sizes(n_layers=3, n_heads=2, d_model=12, d_inner=20, n_positions=8, vocab=17)


def network(sizes: Sizes = SIZES, seed: int = 0) -> Network:
    """A network of random float64 weights, none of them zero or one."""
    generator = torch.Generator().manual_seed(seed)
    found = Network.fresh(sizes, seed)
    weights = {
        name: (one.detach().double() + 0.2 * torch.randn(one.shape, generator=generator).double()).requires_grad_()
        for name, one in found.weights.items()
    }
    return Network(sizes, weights)


def ids(batch: int, seed: int = 0, sizes: Sizes = SIZES) -> Tensor:
    """Random prompts."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(sizes.vocab, (batch, 6), generator=generator)


def in_transformers(found: Network) -> Any:
    """The same model."""
    model = GPT2LMHeadModel(GPT2Config(**found.sizes.config)).eval().double()
    model.load_state_dict(found.weights)
    return model


def naive_swap(model: Any, base: Tensor, source: Tensor, nodes: Iterable[str], where: Tensor | None = None) -> Tensor:
    """Logits at the last position, of one prompt ``[1, pos]`` with nodes taken from another at positions ``where``."""
    kept: dict[tuple[int, int | None], Tensor] = {}
    places = [place_of(node) for node in nodes]
    width = model.config.n_embd // model.config.n_head

    def columns(head: int | None) -> slice:
        return slice(None) if head is None else slice(head * width, (head + 1) * width)

    def hooks(act: Any) -> list[Any]:
        found = []
        for layer, head in places:
            block = model.transformer.h[layer]
            if head is None:
                found.append(block.mlp.register_forward_hook(lambda _m, _i, out, at=(layer, head): act(at, out)))
            else:
                found.append(
                    block.attn.c_proj.register_forward_pre_hook(lambda _m, args, at=(layer, head): (act(at, args[0]),))
                )
        return found

    def keep(at: tuple[int, int | None], value: Tensor) -> Tensor:
        kept[at] = value[..., columns(at[1])].clone()
        return value

    def put(at: tuple[int, int | None], value: Tensor) -> Tensor:
        value = value.clone()
        for position in range(value.shape[1]):
            if where is None or where[position]:
                value[:, position, columns(at[1])] = kept[at][:, position]
        return value

    for act, prompt in ((keep, source), (put, base)):
        handles = hooks(act)
        logits = model(input_ids=prompt).logits[:, -1]
        for handle in handles:
            handle.remove()
    return logits
