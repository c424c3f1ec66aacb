"""One forward pass of the plain model, with everything that interventions need written down by hooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from mibench.engine.attention import Context, Prefix, split_fused
from mibench.engine.model import LanguageModel
from mibench.models.anatomy import Anatomy


@dataclass
class Run:
    """What one forward pass did, at the positions after the shared prefix.

    Attributes:
        embedded: Token embeddings (the ``input`` node), ``[batch, pos, d_model]``.
        before_attn: Residual stream before each block's attention, ``[batch, pos, d_model]``.
        before_mlp: Residual stream read by each MLP, ``[batch, pos, d_model]``.
        final: Residual stream read by the logits, ``[batch, pos, d_model]``.
        projected: Outputs of the q, k and v projections of each block (one tensor where they are fused).
        heads: Outputs of the heads before the output projection, ``[batch, pos, n_heads · head_dim]``.
        mlp: What each MLP adds to the residual stream, ``[batch, pos, d_model]``.
        attn: What each attention hands to its post-norm, where there is one, ``[batch, pos, d_model]``.
        attn_out: What each output projection gives, its bias included, ``[batch, pos, d_model]``.
        context: Mask and rotary angles of each block.
        last: Last real position of each row, ``[batch]``.
        logits: At that position, ``[batch, vocab]``.

    Tensors of a layer are on its device, ``embedded``, ``last`` and ``logits`` on that of the inputs.
    """

    anatomy: Anatomy
    embedded: Tensor
    last: Tensor
    before_attn: list[Tensor] = field(default_factory=list)
    before_mlp: list[Tensor] = field(default_factory=list)
    final: Tensor = field(default_factory=lambda: torch.empty(0))
    projected: list[Tensor] = field(default_factory=list)
    heads: list[Tensor] = field(default_factory=list)
    mlp: list[Tensor] = field(default_factory=list)
    attn: list[Tensor] = field(default_factory=list)
    attn_out: list[Tensor] = field(default_factory=list)
    context: list[Context] = field(default_factory=list)
    logits: Tensor = field(default_factory=lambda: torch.empty(0))

    def slots(self, layer: int, tensors: list[Tensor] | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """q, k and v of a layer, ``[batch, pos, heads, head_dim]`` each.

        Args:
            layer: Which layer.
            tensors: Tensors in the order of ``projected`` (their gradients, say); None: ``projected`` itself.
        """
        layout, anatomy = self.anatomy.layout, self.anatomy
        tensors = self.projected if tensors is None else tensors
        if layout.fused is not None:
            return split_fused(tensors[layer], layout.fused, anatomy.n_heads)
        q, k, v = (
            tensor.view(*tensor.shape[:2], -1, anatomy.head_dim) for tensor in tensors[3 * layer : 3 * layer + 3]
        )
        return q, k, v

    def heads_of(self, layer: int) -> Tensor:
        """Head outputs of a layer, ``[batch, pos, n_heads, head_dim]``."""
        flat = self.heads[layer]
        return flat.view(*flat.shape[:2], self.anatomy.n_heads, self.anatomy.head_dim)


@dataclass(frozen=True)
class Replace:
    """Outputs put in place of those that a pass computes; gradients flow into them.

    Attributes:
        heads: Outputs of the heads before the output projection, by layer, ``[batch, pos, n_heads · head_dim]``.
        mlp: What MLPs add to the residual stream, by layer, ``[batch, pos, d_model]``.
    """

    heads: Mapping[int, Tensor] = field(default_factory=dict)
    mlp: Mapping[int, Tensor] = field(default_factory=dict)


NOTHING = Replace()


def at_last(stream: Tensor, last: Tensor) -> Tensor:
    """The rows ``[batch, …]`` of ``stream`` ``[batch, pos, …]`` at positions ``last`` ``[batch]``."""
    return stream[torch.arange(len(last), device=stream.device), last.to(stream.device)]


def prefix_of(model: LanguageModel, ids: Tensor) -> Prefix | None:
    """Run the model on shared leading tokens ``[batch, pos]`` and keep keys and values; None if there are none."""
    if ids.shape[1] == 0:
        return None
    cache = DynamicCache()
    with torch.no_grad():
        model.hf.base_model(input_ids=ids, past_key_values=cache, use_cache=True)
    return Prefix(tuple(layer.keys for layer in cache.layers), tuple(layer.values for layer in cache.layers))


def forward(
    model: LanguageModel,
    embedded: Tensor,
    prefix: Prefix | None,
    *,
    last: Tensor | None = None,
    gradients: bool = False,
    replace: Replace = NOTHING,
) -> Run:
    """Run the plain model from token embeddings.

    Args:
        model: The model.
        embedded: ``[batch, pos, d_model]``, positions after the prefix.
        prefix: Keys and values of the positions before.
        last: Last real position of each row, counted after the prefix, ``[batch]``; None: the last of all.
        gradients: Keep the autograd graph, with keys and values by query head.
        replace: Outputs to put in place of the computed ones.

    Returns:
        Everything the pass did. With ``gradients`` the streams read by MLPs and logits are tensors of their own,
        so that a gradient towards one leaves out what flows on in the residual stream.
    """
    anatomy = model.anatomy
    start = embedded if embedded.requires_grad else embedded.detach().requires_grad_(gradients)
    if last is None:
        last = torch.full((len(embedded),), embedded.shape[1] - 1, device=embedded.device)
    run = Run(anatomy, start, last)
    repeat = anatomy.kv_group if gradients else 1
    with torch.set_grad_enabled(gradients), _recording(run, repeat, replace):
        cache = None if prefix is None else prefix.cache(repeat)
        output = model.hf.base_model(inputs_embeds=start, past_key_values=cache, use_cache=cache is not None)
        run.logits = anatomy.logits(at_last(output.last_hidden_state, last)).to(model.device)
    return run


@contextmanager
def _recording(run: Run, repeat: int, replace: Replace) -> Iterator[None]:
    anatomy = run.anatomy
    with ExitStack() as stack:
        for layer, block in enumerate(anatomy.blocks):
            _read(stack, block.norm1, run.before_attn)
            _read(stack, block.norm2, run.before_mlp)
            _read(stack, block.out, run.heads, replace.heads.get(layer))
            _written(stack, block.out, run.attn_out)
            _written(stack, block.mlp_end, run.mlp, replace.mlp.get(layer))
            if block.post_attn is not None:
                _read(stack, block.post_attn, run.attn)
            _context(stack, block.attn, run.context)
            for place, name in enumerate(anatomy.layout.qkv):
                module = block.attn.get_submodule(name)
                _projection(stack, module, run.projected, (anatomy.head_dim, repeat if place > 0 else 1))
            if repeat > 1:
                _one_group(stack, block.attn)
        final: list[Tensor] = []
        _read(stack, anatomy.final_norm, final)
        yield
    run.final = final[0]


def _read(stack: ExitStack, module: nn.Module, place: list[Tensor], instead: Tensor | None = None) -> None:
    def hook(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        value = args[0] if instead is None else instead
        alias = value.view_as(value)
        place.append(alias)
        return alias, *args[1:]

    stack.callback(module.register_forward_pre_hook(hook).remove)


def _written(stack: ExitStack, module: nn.Module, place: list[Tensor], instead: Tensor | None = None) -> None:
    def hook(_: nn.Module, __: Any, output: Tensor) -> Tensor:
        place.append(output if instead is None else instead)
        return place[-1]

    stack.callback(module.register_forward_hook(hook).remove)


def _projection(stack: ExitStack, module: nn.Module, place: list[Tensor], ungroup: tuple[int, int]) -> None:
    head_dim, repeat = ungroup

    def hook(_: nn.Module, __: Any, output: Tensor) -> Tensor:
        if repeat > 1:
            output = output.view(*output.shape[:-1], -1, head_dim).repeat_interleave(repeat, -2).flatten(-2)
        place.append(output)
        return output

    stack.callback(module.register_forward_hook(hook).remove)


def _context(stack: ExitStack, module: nn.Module, place: list[Context]) -> None:
    def hook(_: nn.Module, __: Any, kwargs: dict[str, Any]) -> None:
        place.append(Context(kwargs.get("attention_mask"), kwargs.get("position_embeddings")))

    stack.callback(module.register_forward_pre_hook(hook, with_kwargs=True).remove)


def _one_group(stack: ExitStack, attn: Any) -> None:
    stack.callback(setattr, attn, "num_key_value_groups", attn.num_key_value_groups)
    attn.num_key_value_groups = 1
