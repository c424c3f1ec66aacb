"""Rules by which gradients flow back through a model, in place of plain derivatives.

Methods of the relevance-propagation kind are gradient × difference with other local derivatives. Each rule here is put
into the model for the length of a ``with`` block: the numbers of the forward pass stay what they are, and autograd
follows the rule. In terms of the gradient g at an operation's output (⊙ by element):

- norm, y = scale ⊙ x / s(x): s counts as a constant, so g ⊙ scale / s (for LayerNorm minus its mean). Ali et al. 2022.
- softmax over scores z, at temperature T: p ⊙ (g − Σ g ⊙ p) with p = softmax(z / T); there is no factor 1 / T.
- gradients at q, k and v of every head, and at both branches of a gated MLP: times a factor. ½ at either operand of a
  product shares its relevance between them; q and k meet in one product and its result in a second, hence ¼.
- activation, y = act(x): g · act(x) / x, the slope of the line to the origin.

With frozen norms, plain autograd from one norm's input to the next follows the rule by itself. Whoever carries a
gradient or a difference through a norm by hand has to count its scale as a constant too: ``Gradients`` and ``Deltas``
take ``frozen_norms`` for that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

from mibench.core.errors import ModelError, UsageError
from mibench.engine.folded import centre, inverse_norm
from mibench.engine.model import LanguageModel
from mibench.models.anatomy import Anatomy, Norm

RULES_ATTENTION = "mibench_rules"


@dataclass(frozen=True)
class BackwardRules:
    """Which rules; the default ones are plain derivatives.

    Attributes:
        frozen_norms: Norms divide by a constant.
        temperature: Temperature of attention's softmax in the backward pass.
        query: Factor on gradients at queries; 0 here and at keys freezes the attention pattern.
        key: Factor on gradients at keys.
        value: Factor on gradients at values.
        gated: Factor on gradients at the two branches of a gated MLP; no effect where MLPs have no gate.
        activation: ``derivative`` of the MLP's activation, or ``secant``: act(x) / x.
    """

    frozen_norms: bool = False
    temperature: float = 1.0
    query: float = 1.0
    key: float = 1.0
    value: float = 1.0
    gated: float = 1.0
    activation: Literal["derivative", "secant"] = "derivative"

    def __post_init__(self) -> None:
        factors = (self.query, self.key, self.value, self.gated)
        if not (math.isfinite(self.temperature) and self.temperature > 0 and all(map(math.isfinite, factors))):
            raise UsageError(
                f"These are no backward rules: {self}.",
                why="The temperature must be above 0, and every factor a finite number.",
                do="Give other numbers.",
            )

    @property
    def in_attention(self) -> bool:
        """Whether attention differs from plain derivatives."""
        return (self.temperature, self.query, self.key, self.value) != (1.0, 1.0, 1.0, 1.0)

    @property
    def in_mlp(self) -> bool:
        """Whether MLPs differ from plain derivatives, their norms apart."""
        return (self.gated, self.activation) != (1.0, "derivative")


_ACTIVE: ContextVar[BackwardRules] = ContextVar("rules")


@contextmanager
def backward_rules(model: LanguageModel, rules: BackwardRules | None) -> Iterator[None]:
    """Apply ``rules``, if any, to the gradients of forward passes made inside the block.

    Backward passes may come after it. Attention with rules of its own is computed as transformers' ``eager`` does,
    with a float32 softmax, so that values may differ from another kernel's by rounding; all other values are the same
    to the bit. The model is as it was after the block, also after an exception.

    Raises:
        ModelError: The model's family does not say where its MLPs keep what a rule changes.
    """
    if rules is None:
        yield
        return
    anatomy = model.anatomy
    with ExitStack() as stack:
        if rules.frozen_norms:
            for module in anatomy.norms:
                _hook(stack, module, _frozen_norm(anatomy.norm(module)))
        if rules.in_mlp:
            _change_mlps(stack, anatomy, rules)
        if rules.in_attention:
            _change_attention(stack, anatomy, rules)
        yield


def _hook(stack: ExitStack, module: nn.Module, hook: Callable[[nn.Module, Any, Tensor], Tensor]) -> None:
    stack.callback(module.register_forward_hook(hook).remove)


def _numbers_of(value: Tensor, gradient_of: Tensor) -> Tensor:
    """A tensor with the numbers of the one and the gradient of the other, which has the same shape."""
    return value.detach() + (gradient_of - gradient_of.detach()).to(value.dtype)


def _scaled(x: Tensor, factor: float) -> Tensor:
    """The same tensor, whose gradient is multiplied by ``factor`` on its way back."""
    if factor == 1.0 or not x.requires_grad:
        return x
    alias: Any = x.view_as(x)
    alias.register_hook(lambda gradient: gradient * factor)
    return cast("Tensor", alias)


def _frozen_norm(norm: Norm) -> Callable[[nn.Module, Any, Tensor], Tensor]:
    def hook(_: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        if not output.requires_grad:
            return output
        x = args[0].to(output.device, torch.promote_types(args[0].dtype, torch.float32))
        return _numbers_of(output, centre(x, norm) * (inverse_norm(x.detach(), norm)[..., None] * norm.scale))

    return hook


def _change_mlps(stack: ExitStack, anatomy: Anatomy, rules: BackwardRules) -> None:
    for block in anatomy.blocks:
        if block.activation is None:
            raise ModelError(
                f"There are no backward rules for the MLPs of this {type(anatomy.model).__name__}.",
                why="Its family file does not say where their activation is.",
                do="Give 'activation', and 'gated' if they have a gate, in the family's layout.",
            )
        if rules.activation == "secant":
            _hook(stack, block.activation, _secant)
        for branch in block.gated:
            _hook(stack, branch, lambda _, __, output: _scaled(output, rules.gated))


def _secant(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
    if not output.requires_grad:
        return output
    x = args[0].detach()
    small = x.new_tensor(torch.finfo(x.dtype).eps)
    slope = torch.where(x == 0, module.forward(small) / small, output.detach() / x)
    return _numbers_of(output, args[0] * slope)


def _change_attention(stack: ExitStack, anatomy: Anatomy, rules: BackwardRules) -> None:
    AttentionInterface.register(RULES_ATTENTION, _attention)
    # Masks for eager attention are always there and added to scores, whatever the kernel that is replaced needs.
    AttentionMaskInterface.register(RULES_ATTENTION, eager_mask)
    config = anatomy.config
    stack.callback(setattr, config, "_attn_implementation", config._attn_implementation)  # noqa: SLF001
    stack.callback(_ACTIVE.reset, _ACTIVE.set(rules))
    config._attn_implementation = RULES_ATTENTION  # noqa: SLF001


def _attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor, **options: Any
) -> tuple[Tensor, None]:
    """Attention under the active rules: q, k, v ``[batch, heads, pos, head_dim]``; mask added to scores."""
    rules, groups = _ACTIVE.get(), getattr(module, "num_key_value_groups", 1)
    query = _scaled(query, rules.query)
    key = _scaled(key, rules.key).repeat_interleave(groups, 1)
    value = _scaled(value, rules.value).repeat_interleave(groups, 1)
    scores = query @ key.transpose(-1, -2) * (options.get("scaling") or module.head_dim**-0.5)
    cap = options.get("softcap")
    if cap is not None:
        scores = torch.tanh(scores / cap) * cap
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32)) + attention_mask
    pattern = _softmax(scores, rules.temperature).to(value.dtype)
    return (pattern @ value).transpose(1, 2).contiguous(), None


def _softmax(scores: Tensor, temperature: float) -> Tensor:
    pattern = scores.softmax(-1)
    if temperature == 1.0 or not scores.requires_grad:
        return pattern
    return _numbers_of(pattern, (scores / temperature).softmax(-1) * temperature)
