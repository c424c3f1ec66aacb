"""A transformer written out edge by edge in float64: the yardstick, sharing no code with the engine.

One prompt at a time; every destination slot sums its own view of every source. Slow and plain on purpose.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

View = Callable[[Tensor, int], Tensor]
"""From source values ``[sources, pos, d_model]`` and a destination column to what that destination sees of them."""


@dataclass
class NaiveLayer:
    """One block: weights by query head, and the maths around them."""

    norm1: Callable[[Tensor], Tensor]
    norm2: Callable[[Tensor], Tensor]
    weights: list[Tensor]
    biases: list[Tensor]
    out: Tensor
    out_bias: Tensor
    mlp: Callable[[Tensor], Tensor]
    post_attn: Callable[[Tensor], Tensor]
    window: int | None
    scale: float


def _zeros(*shape: int) -> Tensor:
    return torch.zeros(*shape, dtype=torch.float64)


def _rms(weight: Tensor, eps: float) -> Callable[[Tensor], Tensor]:
    return lambda x: weight * x / torch.sqrt((x * x).sum(-1, keepdim=True) / x.shape[-1] + eps)


def _layer_norm(state: dict[str, Tensor], name: str, eps: float) -> Callable[[Tensor], Tensor]:
    weight, bias = state[name + ".weight"], state[name + ".bias"]

    def apply(x: Tensor) -> Tensor:
        centred = x - x.sum(-1, keepdim=True) / x.shape[-1]
        return weight * centred / torch.sqrt((centred * centred).sum(-1, keepdim=True) / x.shape[-1] + eps) + bias

    return apply


class NaiveModel:
    """A transformers model taken over weight by weight."""

    def __init__(self, hf: Any) -> None:
        self.hf, self.config = hf, hf.config
        self.state = {name: value.detach().double() for name, value in hf.state_dict().items()}
        self._plain: dict[tuple[int, ...], tuple[Tensor, Tensor]] = {}
        self.kind = self.config.model_type
        self.n_layers, self.n_heads = self.config.num_hidden_layers, self.config.num_attention_heads
        self.d_model = self.config.hidden_size
        self.head_dim = getattr(self.config, "head_dim", None) or self.d_model // self.n_heads
        self.parallel = self.kind == "gpt_neox" and self.config.use_parallel_residual
        build = {"gpt2": self._gpt2, "gpt_neox": self._gpt_neox}.get(self.kind, self._llama_like)
        self.layers = [build(layer) for layer in range(self.n_layers)]

    @property
    def n_sources(self) -> int:
        return 1 + self.n_layers * (self.n_heads + 1)

    @property
    def n_destinations(self) -> int:
        return self.n_layers * (3 * self.n_heads + 1) + 1

    def _llama_like(self, index: int) -> NaiveLayer:
        config, state, name = self.config, self.state, f"model.layers.{index}."
        offset = 1.0 if self.kind == "gemma2" else 0.0

        def norm(label: str) -> Callable[[Tensor], Tensor]:
            return _rms(state[name + label + ".weight"] + offset, config.rms_norm_eps)

        weights, biases = [], []
        for part in "qkv":
            weight = state[f"{name}self_attn.{part}_proj.weight"]
            bias = state.get(f"{name}self_attn.{part}_proj.bias", _zeros(weight.shape[0]))
            heads = weight.shape[0] // self.head_dim
            pick = [head * heads // self.n_heads for head in range(self.n_heads)]
            weights.append(weight.reshape(heads, self.head_dim, self.d_model)[pick])
            biases.append(bias.reshape(heads, self.head_dim)[pick])
        mlp = self.hf.model.layers[index].mlp
        gemma = self.kind == "gemma2"
        after_mlp = norm("post_feedforward_layernorm") if gemma else (lambda x: x)
        return NaiveLayer(
            norm1=norm("input_layernorm"),
            norm2=norm("pre_feedforward_layernorm" if gemma else "post_attention_layernorm"),
            weights=weights,
            biases=biases,
            out=self._out(state[name + "self_attn.o_proj.weight"]),
            out_bias=state.get(name + "self_attn.o_proj.bias", _zeros(self.d_model)),
            mlp=lambda x: after_mlp(mlp(x)),
            post_attn=norm("post_attention_layernorm") if gemma else (lambda x: x),
            window=self._window(index),
            scale=(config.query_pre_attn_scalar if gemma else self.head_dim) ** -0.5,
        )

    def _gpt2(self, index: int) -> NaiveLayer:
        state, name = self.state, f"transformer.h.{index}."
        shape = (3, self.n_heads, self.head_dim)
        weight = state[name + "attn.c_attn.weight"].T.reshape(*shape, self.d_model)
        bias = state[name + "attn.c_attn.bias"].reshape(shape)
        scale = self.head_dim**-0.5 / (index + 1 if self.config.scale_attn_by_inverse_layer_idx else 1)
        return NaiveLayer(
            norm1=_layer_norm(state, name + "ln_1", self.config.layer_norm_epsilon),
            norm2=_layer_norm(state, name + "ln_2", self.config.layer_norm_epsilon),
            weights=list(weight),
            biases=list(bias),
            out=self._out(state[name + "attn.c_proj.weight"].T),
            out_bias=state[name + "attn.c_proj.bias"],
            mlp=self.hf.transformer.h[index].mlp,
            post_attn=lambda x: x,
            window=None,
            scale=scale,
        )

    def _gpt_neox(self, index: int) -> NaiveLayer:
        state, name = self.state, f"gpt_neox.layers.{index}."
        weight = state[name + "attention.query_key_value.weight"]
        bias = state[name + "attention.query_key_value.bias"]
        fused = weight.reshape(self.n_heads, 3, self.head_dim, self.d_model)
        biases = bias.reshape(self.n_heads, 3, self.head_dim)
        return NaiveLayer(
            norm1=_layer_norm(state, name + "input_layernorm", self.config.layer_norm_eps),
            norm2=_layer_norm(state, name + "post_attention_layernorm", self.config.layer_norm_eps),
            weights=[fused[:, part] for part in range(3)],
            biases=[biases[:, part] for part in range(3)],
            out=self._out(state[name + "attention.dense.weight"]),
            out_bias=state[name + "attention.dense.bias"],
            mlp=self.hf.gpt_neox.layers[index].mlp,
            post_attn=lambda x: x,
            window=None,
            scale=self.head_dim**-0.5,
        )

    def _out(self, weight: Tensor) -> Tensor:
        """``[heads, head_dim, d_model]`` of a projection ``[d_model, heads · head_dim]``."""
        return weight.reshape(self.d_model, self.n_heads, self.head_dim).permute(1, 2, 0)

    def _window(self, index: int) -> int | None:
        if self.kind == "mistral":
            return self.config.sliding_window
        kinds = getattr(self.config, "layer_types", None)
        return self.config.sliding_window if kinds and kinds[index] == "sliding_attention" else None

    def embed(self, ids: Sequence[int]) -> Tensor:
        """Token embeddings ``[pos, d_model]``."""
        name = {"gpt2": "transformer.wte", "gpt_neox": "gpt_neox.embed_in"}.get(self.kind, "model.embed_tokens")
        rows = self.state[name + ".weight"][list(ids)]
        if self.kind == "gemma2":
            # transformers keeps the factor as a float32 number.
            return rows * float(torch.tensor(self.d_model**0.5))
        return rows

    def _stream(self, seen: Tensor) -> Tensor:
        """Residual stream that is the sum of what is seen of the first sources ``[sources, pos, d_model]``."""
        total, width = seen[0], self.n_heads + 1
        if self.kind == "gpt2":
            total = total + self.state["transformer.wpe.weight"][: seen.shape[1]]
        for index, layer in enumerate(self.layers):
            first = 1 + index * width
            if len(seen) > first:
                heads = seen[first : first + self.n_heads]
                total = total + layer.post_attn(heads.sum(0) + layer.out_bias)
            if len(seen) > first + self.n_heads:
                total = total + seen[first + self.n_heads]
        return total

    def _frequencies(self) -> Tensor | None:
        if self.kind == "gpt2":
            return None
        rope = self.config.rope_parameters
        width = int(self.head_dim * rope.get("partial_rotary_factor", 1.0))
        # transformers computes angles in float32 whatever the type of the model.
        frequencies = 1.0 / (rope["rope_theta"] ** (torch.arange(0, width, 2).float() / width))
        if rope["rope_type"] != "llama3":
            return frequencies
        low, high = rope["low_freq_factor"], rope["high_freq_factor"]
        scaled = []
        for frequency in frequencies:
            turns = rope["original_max_position_embeddings"] / (2 * math.pi / frequency)
            share = (turns - low) / (high - low)
            mixed = (1 - share) * frequency / rope["factor"] + share * frequency
            scaled.append(frequency / rope["factor"] if turns < low else frequency if turns > high else mixed)
        return torch.stack(scaled)

    def _rotate(self, x: Tensor) -> Tensor:
        """Rotate the first entries of ``[pos, head_dim]``; entry i is paired with entry i + half."""
        frequencies = self._frequencies()
        if frequencies is None:
            return x
        angles = torch.arange(len(x)).float()[:, None] * frequencies
        cos, sin = angles.cos().double(), angles.sin().double()
        half = angles.shape[1]
        one, two, rest = x[:, :half], x[:, half : 2 * half], x[:, 2 * half :]
        return torch.cat([one * cos - two * sin, two * cos + one * sin, rest], dim=1)

    def _attend(self, layer: NaiveLayer, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        scores = self._rotate(q) @ self._rotate(k).T * layer.scale
        cap = getattr(self.config, "attn_logit_softcapping", None)
        if cap:
            scores = cap * torch.tanh(scores / cap)
        where = torch.arange(len(q))
        distance = where[:, None] - where[None, :]
        visible = distance >= 0
        if layer.window is not None:
            visible &= distance < layer.window
        weights = torch.where(visible, torch.exp(scores), 0.0)
        return weights / weights.sum(1, keepdim=True) @ v

    def run(self, embedded: Tensor, view: View) -> tuple[Tensor, Tensor]:
        """Node values ``[sources, pos, d_model]`` and last-position logits ``[vocab]``."""
        nodes = [embedded]
        for index, layer in enumerate(self.layers):
            before = torch.stack(nodes)
            column = index * (3 * self.n_heads + 1)
            for head in range(self.n_heads):
                slots = []
                for part in range(3):
                    stream = self._stream(view(before, column + part * self.n_heads + head))
                    slots.append(layer.norm1(stream) @ layer.weights[part][head].T + layer.biases[part][head])
                nodes.append(self._attend(layer, *slots) @ layer.out[head])
            sources = before if self.parallel else torch.stack(nodes)
            nodes.append(layer.mlp(layer.norm2(self._stream(view(sources, column + 3 * self.n_heads)))))
        values = torch.stack(nodes)
        return values, self._logits(self._stream(view(values, self.n_destinations - 1))[-1])

    def _logits(self, final: Tensor) -> Tensor:
        state, config = self.state, self.config
        if self.kind == "gpt2":
            return _layer_norm(state, "transformer.ln_f", config.layer_norm_epsilon)(final) @ state["lm_head.weight"].T
        if self.kind == "gpt_neox":
            norm = _layer_norm(state, "gpt_neox.final_layer_norm", config.layer_norm_eps)
            return norm(final) @ state["lm_head.weight"].T
        offset = 1.0 if self.kind == "gemma2" else 0.0
        logits = _rms(state["model.norm.weight"] + offset, config.rms_norm_eps)(final) @ state["lm_head.weight"].T
        cap = getattr(config, "final_logit_softcapping", None)
        return cap * torch.tanh(logits / cap) if cap else logits

    def plain(self, ids: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The model as it is."""
        if tuple(ids) not in self._plain:
            with torch.no_grad():
                self._plain[tuple(ids)] = self.run(self.embed(ids), lambda values, _: values)
        return self._plain[tuple(ids)]

    def circuit(self, pair: Any, edges: Tensor, neurons: Tensor | None, constants: Tensor | None) -> float:
        """The metric when only ``edges`` ``[sources, destinations]`` carry what is computed.

        ``constants`` ``[sources, pos, d_model]`` are what other edges carry; None: the counterfactual run.
        """
        base = self.base(pair, constants)
        kept = torch.ones_like(base[:, :1]) if neurons is None else neurons.double()[:, None]

        def view(values: Tensor, column: int) -> Tensor:
            n = len(values)
            return base[:n] + edges[:n, column, None, None].double() * kept[:n] * (values - base[:n])

        with torch.no_grad():
            return float(metric(self.run(self.embed(pair.clean), view)[1], pair))

    def base(self, pair: Any, constants: Tensor | None) -> Tensor:
        """What ablated edges carry, ``[sources, pos, d_model]``."""
        if constants is None:
            return self.plain(pair.counterfactual)[0]
        return constants[:, : len(pair.clean)]

    def attribute(self, pairs: Sequence[Any], alphas: Sequence[float], constants: Tensor | None) -> Tensor:
        """Scores ``[sources, destinations]``: minus the gradient towards one mask number an edge."""
        total = _zeros(self.n_sources, self.n_destinations)
        for pair in pairs:
            base = self.base(pair, constants)
            change = base - self.plain(pair.clean)[0]
            for alpha in alphas:
                mask = _zeros(*total.shape).requires_grad_()

                def view(values: Tensor, column: int, mask: Tensor = mask, change: Tensor = change) -> Tensor:
                    n = len(values)
                    return values + mask[:n, column, None, None] * change[:n]

                start = base[0] + alpha * (self.embed(pair.clean) - base[0])
                total -= torch.autograd.grad(metric(self.run(start, view)[1], pair), mask)[0] / len(alphas)
        return total / len(pairs)

    def means(self, pairs: Sequence[Any], length: int, *, positional: bool) -> Tensor:
        """Mean node values of the counterfactual prompts, ``[sources, length, d_model]``."""
        runs = [self.plain(pair.counterfactual)[0] for pair in pairs]
        longest = max(run.shape[1] for run in runs)
        if not positional:
            return torch.cat(runs, dim=1).mean(1, keepdim=True).expand(-1, length, -1)
        at = [torch.stack([r[:, p] for r in runs if r.shape[1] > p]).mean(0) for p in range(longest)]
        beyond = torch.stack(at).mean(0)
        return torch.stack([at[p] if p < longest else beyond for p in range(length)], dim=1)


def metric(logits: Tensor, pair: Any) -> Tensor:
    """Logit or probability difference."""
    values = torch.softmax(logits, 0) if pair.metric == "prob_diff" else logits
    return sum(values[token] for token in pair.correct) - sum(values[token] for token in pair.incorrect)
