"""A sparse dictionary: an encoder and a decoder at a hook point, as arrays with everything needed to use them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mibench.core.hashing import array_digest, digest
from mibench.core.hook_points import HookPoint

Array = NDArray[np.float32]

Architecture = Literal[
    "relu", "p-anneal", "topk", "batchtopk", "matryoshka", "jumprelu", "gated", "identity", "pca", "frozen-decoder"
]
"""How it was trained, which names its family; what it computes is its `Activation`."""

Activation = Literal["relu", "topk", "jumprelu", "gated", "linear"]
"""``relu``: max(p, 0). ``topk``: the k largest of max(p, 0) of each token. ``jumprelu``: max(p, 0) where p > threshold.
``gated``: max(exp(r_mag)·π + b_mag, 0) where π + b_gate > 0. ``linear``: p itself, of either sign."""

Scaling = Literal["none", "constant", "layer-norm"]
"""What is done to an activation before the encoder, and undone after the decoder: nothing, times a constant, or
minus its mean and divided by its standard deviation over the entries (one token by itself)."""


@dataclass(frozen=True)
class Place:
    """Where a dictionary reads and writes.

    Attributes:
        model: Name of the model; ``""`` where the file does not say.
        hook: What it reads.
        output: What it reconstructs, for a transcoder; None: what it reads.
    """

    model: str
    hook: HookPoint
    output: HookPoint | None = None

    @property
    def target(self) -> HookPoint:
        """What it reconstructs."""
        return self.output or self.hook

    @property
    def text(self) -> str:
        """Its name, as settings write it."""
        return self.hook.name if self.output is None else f"{self.hook.name}->{self.output.name}"


@dataclass(frozen=True)
class Rule:
    """How it computes.

    Attributes:
        activation: Nonlinearity of the encoder.
        pre_bias: Whether ``b_dec`` is subtracted from the activation before the encoder.
        k: Latents kept of each token, for ``topk``.
        scaling: What is done to the activation first.
        scale: Factor, for ``constant``.
    """

    activation: Activation
    pre_bias: bool
    k: int | None = None
    scaling: Scaling = "none"
    scale: float = 1.0


@dataclass(frozen=True)
class TrainingFacts:
    """What is known of the training; None: not stated.

    Attributes:
        corpus: Name of the text.
        tokens: Number of training tokens.
        context: Tokens of a context.
        bos: Whether each context began with a BOS token.
        trained_on_bos: Whether activations of the BOS position were trained on.
        seed: Seed.
        l0: Latents active per token, as the training log has it.
        fvu: Fraction of variance unexplained, likewise.
        groups: Nested prefixes of a Matryoshka dictionary, as sizes of each further group.
    """

    corpus: str | None = None
    tokens: int | None = None
    context: int | None = None
    bos: bool | None = None
    trained_on_bos: bool | None = None
    seed: int | None = None
    l0: float | None = None
    fvu: float | None = None
    groups: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Dictionary:
    """A sparse dictionary at a hook point.

    With ``x`` an activation ``[d_in]``, after ``rule.scaling``: ``p = (x − b_dec·pre_bias) @ w_enc + b_enc``, latents
    ``f = activation(p)``, reconstruction ``f @ w_dec + b_dec (+ x @ w_skip)``, then scaling undone.

    Attributes:
        place: Where.
        architecture: How it was trained.
        rule: How it computes.
        tensors: float32. ``w_enc [d_in, d_sae]``, ``b_enc [d_sae]`` (not for gated), ``w_dec [d_sae, d_out]``,
            ``b_dec [d_out]``; ``threshold [d_sae]`` for jumprelu; ``b_gate``, ``r_mag``, ``b_mag`` ``[d_sae]`` for
            gated; ``w_skip [d_in, d_out]`` for a skip transcoder.
        training: What is known of its training.
        method: Name of the method that made it; None: unknown.
        params: Its parameters, JSON values.
        meta: Anything else worth keeping, small, JSON values.
    """

    place: Place
    architecture: Architecture
    rule: Rule
    tensors: Mapping[str, Array]
    training: TrainingFacts = field(default_factory=TrainingFacts)
    method: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def d_in(self) -> int:
        """Entries of what it reads."""
        return int(self.tensors["w_enc"].shape[0])

    @property
    def d_sae(self) -> int:
        """Number of latents."""
        return int(self.tensors["w_dec"].shape[0])

    @property
    def d_out(self) -> int:
        """Entries of what it reconstructs."""
        return int(self.tensors["w_dec"].shape[1])

    @cached_property
    def digest(self) -> str:
        """sha256 of what it computes, and where: place, rule and tensors."""
        rule = {name: getattr(self.rule, name) for name in ("activation", "pre_bias", "k", "scaling", "scale")}
        return digest(
            {
                "model": self.place.model,
                "hook": self.place.hook.name,
                "output": self.place.target.name,
                "rule": rule,
                "tensors": {name: array_digest(array) for name, array in sorted(self.tensors.items())},
            }
        )
