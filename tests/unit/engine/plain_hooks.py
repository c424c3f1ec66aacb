"""Reading and replacing by plain hooks on whole passes, with module names written out for each family."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from tiny_models import VOCAB
from torch import Tensor

from mibench.core.hook_points import HookKind, HookPoint
from mibench.engine.model import LanguageModel

_LLAMA = {
    "blocks": "model.layers",
    "attn": "self_attn",
    "out": "self_attn.o_proj",
    "norm2": "post_attention_layernorm",
    "mlp": "mlp",
}
_NEOX = {
    "blocks": "gpt_neox.layers",
    "attn": "attention",
    "out": "attention.dense",
    "norm2": "post_attention_layernorm",
    "mlp": "mlp",
}
_NAMES = {
    "gpt2": {"blocks": "transformer.h", "attn": "attn", "out": "attn.c_proj", "norm2": "ln_2", "mlp": "mlp"},
    "gpt_neox": _NEOX,
    "gpt_neox_sequential": _NEOX,
    "gemma2": _LLAMA
    | {
        "attn": "post_attention_layernorm",
        "norm2": "pre_feedforward_layernorm",
        "mlp": "post_feedforward_layernorm",
    },
}
Edit = Callable[[Tensor], Tensor]


def token_ids(rows: int = 3, length: int = 9, seed: int = 0) -> Tensor:
    """Random tokens ``[rows, length]``."""
    return torch.randint(0, VOCAB, (rows, length), generator=torch.Generator().manual_seed(seed))


def points_of(model: LanguageModel) -> list[HookPoint]:
    """Every hook point that a model has."""
    kinds = [kind for kind in HookKind if not (kind is HookKind.RESIDUAL_MID and model.anatomy.parallel)]
    return [HookPoint(layer, kind) for layer in range(model.anatomy.n_layers) for kind in kinds]


class PlainHooks:
    """Whole passes of a transformers model under hooks of torch."""

    def __init__(self, name: str, hf: Any) -> None:
        self._hf, self._names = hf, _NAMES.get(name.removesuffix("_scaled"), _LLAMA)

    def logits(self, ids: Tensor, point: HookPoint, edit: Edit) -> Tensor:
        """Logits with what ``edit`` makes of the activation at a point in its place."""
        names, kind = self._names, point.kind
        block = self._hf.get_submodule(names["blocks"])[point.layer]
        part = {name: block.get_submodule(path) for name, path in names.items() if name != "blocks"}
        with ExitStack() as stack:
            if kind is HookKind.RESIDUAL_PRE:
                _input(stack, block, edit)
            elif kind is HookKind.RESIDUAL_POST:
                _output(stack, block, edit)
            elif kind is HookKind.RESIDUAL_MID:
                before: list[Tensor] = []
                _input(stack, block, lambda stream: before.append(stream) or stream)
                _output(stack, part["attn"], lambda added: edit(before[0] + added) - before[0])
            elif kind is HookKind.ATTN_OUT:
                _output(stack, part["attn"], edit)
            elif kind is HookKind.HEADS:
                _input(stack, part["out"], edit)
            elif kind is HookKind.MLP_IN:
                _output(stack, part["norm2"], edit)
            elif kind is HookKind.MLP_NORMALISED:
                _output(stack, part["norm2"], lambda normed: self._rescaled(part["norm2"], normed, edit))
            else:
                _output(stack, part["mlp"], edit)
            with torch.no_grad():
                logits: Tensor = self._hf(input_ids=ids, use_cache=False).logits
        return logits

    def read(self, ids: Tensor, point: HookPoint) -> Tensor:
        """The activation at a point."""
        seen: list[Tensor] = []
        self.logits(ids, point, lambda value: seen.append(value) or value)
        return seen[0]

    def _rescaled(self, norm: Any, normed: Tensor, edit: Edit) -> Tensor:
        scale = norm.weight + 1 if self._names is _NAMES["gemma2"] else norm.weight
        shift = getattr(norm, "bias", None)
        shift = torch.zeros_like(scale) if shift is None else shift
        return edit((normed - shift) / scale) * scale + shift


def _input(stack: ExitStack, module: Any, edit: Edit) -> None:
    stack.callback(module.register_forward_pre_hook(lambda _, args: (edit(args[0]), *args[1:])).remove)


def _output(stack: ExitStack, module: Any, edit: Edit) -> None:
    def hook(_: Any, __: Any, output: Any) -> Any:
        return (edit(output[0]), *output[1:]) if isinstance(output, tuple) else edit(output)

    stack.callback(module.register_forward_hook(hook).remove)
