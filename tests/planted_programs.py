"""Planted models in plain numpy, float64: whole runs, runs with one edge or one site from another prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import islice, product

import numpy as np

from mibench.core.sites import Component
from mibench.core.truth import KnownSite
from mibench.planted.build import FAMILIES, PLANTED, Planted, network_of, planted
from mibench.planted.tokenizer import UNKNOWN
from mibench.tasks.known.programs import load_program
from mibench.tasks.positions import located

HEADS, HEAD_DIM = 4, 64
THETA = 5.4e16


class Words:
    """A vocabulary as an encoder of prompts."""

    bos_id = 0

    def __init__(self, words: Sequence[str]) -> None:
        self.ids = {word: place for place, word in enumerate((*words, UNKNOWN))}

    def encode(self, text: str) -> list[int]:
        return [self.ids[word] for word in text.split()]

    def offsets(self, text: str) -> list[tuple[int, int]]:
        ends = np.cumsum([len(word) + 1 for word in text.split(" ")]).tolist()
        return [(end - 1 - len(word), end - 1) for word, end in zip(text.split(" "), ends, strict=True)]


class Naive:
    """A planted model, computed node by node: what a node reads is the sum of what the nodes before it wrote."""

    def __init__(self, one: Planted) -> None:
        self.one, self.gpt2 = one, one.family == "gpt2"
        tensors = FAMILIES[one.family].tensors(network_of(one))
        self.weights = {name: value.astype(np.float32).astype(np.float64) for name, value in tensors.items()}
        self.n_layers = one.logic.n_layers
        places = product(range(self.n_layers), range(HEADS), "qkvo")
        self.projections = {place: np.ascontiguousarray(self.projection(*place)) for place in places}

    def projection(self, layer: int, head: int, slot: str) -> np.ndarray:
        """From the stream to q, k or v of a head, or from its z to the stream."""
        part = slice(head * HEAD_DIM, (head + 1) * HEAD_DIM)
        if not self.gpt2:
            matrix = self.weights[f"model.layers.{layer}.self_attn.{slot}_proj.weight"].T
            return matrix[part] if slot == "o" else matrix[:, part]
        if slot == "o":
            return self.weights[f"transformer.h.{layer}.attn.c_proj.weight"][part]
        fused = self.weights[f"transformer.h.{layer}.attn.c_attn.weight"].reshape(-1, 3, HEADS * HEAD_DIM)
        return fused[:, "qkv".index(slot), part]

    def logits(self, ids: np.ndarray) -> np.ndarray:
        """Logits after the last word, ``[prompts, vocab]``."""
        return self.run(ids)[1]

    def run(
        self,
        ids: np.ndarray,
        change: Callable[[str, np.ndarray], np.ndarray] = lambda slot, stream: stream,
        edit: Callable[[str, np.ndarray], np.ndarray] = lambda place, value: value,
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """What every node writes, and logits.

        ``change`` may alter what a slot reads; ``edit`` what a place holds: ``z0.1`` (layer 0, head 1), ``m0``,
        ``after0``.
        """
        w, written = self.weights, {}
        stream = w["transformer.wte.weight" if self.gpt2 else "model.embed_tokens.weight"][ids]
        written["input"] = stream
        if self.gpt2:
            stream = stream + w["transformer.wpe.weight"][: ids.shape[1]]
        for layer in range(self.n_layers):
            plain = self.norm(self.first_norm(layer), stream)
            outs = {}
            for head in range(HEADS):
                read = {}
                for slot in "qkv":
                    given = change(f"a{layer}.h{head}<{slot}>", stream)
                    read[slot] = plain if given is stream else self.norm(self.first_norm(layer), given)
                outs[f"a{layer}.h{head}"] = self.head(layer, head, read, edit)
            stream = stream + sum(outs.values())
            out = edit(f"m{layer}", self.mlp(layer, change(f"m{layer}", stream)))
            written |= outs | {f"m{layer}": out}
            stream = edit(f"after{layer}", stream + out)
        last = self.norm("transformer.ln_f" if self.gpt2 else "model.norm", change("logits", stream)[:, -1])
        return written, last @ w["lm_head.weight"].T

    def first_norm(self, layer):
        return f"transformer.h.{layer}.ln_1" if self.gpt2 else f"model.layers.{layer}.input_layernorm"

    def head(self, layer, head, read, edit):
        q, k, v = (read[slot] @ self.projections[layer, head, slot] for slot in "qkv")
        if not self.gpt2:
            q, k = rotated(q), rotated(k)
        z = edit(f"z{layer}.{head}", attend(q, k) @ v)
        return z @ self.projections[layer, head, "o"]

    def mlp(self, layer, stream):
        w = self.weights
        if self.gpt2:
            name = f"transformer.h.{layer}"
            x = self.norm(f"{name}.ln_2", stream) @ w[f"{name}.mlp.c_fc.weight"]
            on = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
            return on @ w[f"{name}.mlp.c_proj.weight"]
        name = f"model.layers.{layer}"
        x = self.norm(f"{name}.post_attention_layernorm", stream)
        gate = x @ w[f"{name}.mlp.gate_proj.weight"].T
        on = gate / (1 + np.exp(np.minimum(-gate, 700.0))) * (x @ w[f"{name}.mlp.up_proj.weight"].T)
        return on @ w[f"{name}.mlp.down_proj.weight"].T

    def norm(self, name, stream):
        if self.gpt2:
            stream = stream - stream.mean(-1, keepdims=True)
        size = np.sqrt((stream**2).mean(-1, keepdims=True) + 1e-5)
        return stream / size * self.weights[f"{name}.weight"] + self.weights.get(f"{name}.bias", 0.0)

    def without(self, ids: np.ndarray, extra: dict[str, np.ndarray], edge: str) -> np.ndarray:
        """Logits of ``ids`` with one edge from another run, which wrote ``extra`` more."""
        source, _, destination = edge.partition("->")
        return self.run(ids, lambda slot, stream: stream + extra[source] if slot == destination else stream)[1]

    def held(self, ids: np.ndarray) -> dict[str, np.ndarray]:
        """What every place holds."""
        kept: dict[str, np.ndarray] = {}
        self.run(ids, edit=kept.setdefault)
        return kept

    def swapped(self, ids, held: dict[str, np.ndarray], site: KnownSite, places, basis: np.ndarray | None):
        """Logits of ``ids`` with a site from another run, at the tokens ``places``; ``basis``: only in these rows."""
        name = {
            Component.RESIDUAL_POST: f"after{site.layer}",
            Component.MLP: f"m{site.layer}",
            Component.HEAD: f"z{site.layer}.{site.head}",
        }[site.component]
        rows = np.arange(len(ids))

        def edit(place: str, value: np.ndarray) -> np.ndarray:
            if place != name:
                return value
            gap = held[name][rows, places[1]] - value[rows, places[0]]
            value = value.copy()
            value[rows, places[0]] += gap if basis is None else gap @ basis.T @ basis
            return value

        return self.run(ids, edit=edit)[1]


def rotated(x: np.ndarray) -> np.ndarray:
    """Rotary positions on ``[prompts, words, head_dim]``."""
    half = HEAD_DIM // 2
    angle = np.arange(x.shape[1])[:, None] * THETA ** (-np.arange(half) / half)
    one, other = x[..., :half], x[..., half:]
    cos, sin = np.cos(angle), np.sin(angle)
    return np.concatenate([one * cos - other * sin, other * cos + one * sin], axis=-1)


def attend(q: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Causal attention, ``[prompts, words, words]``."""
    scores = q @ k.swapaxes(1, 2) / np.sqrt(HEAD_DIM)
    scores = np.where(np.tri(q.shape[1], dtype=bool), scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


@cache
def naive(name: str) -> Naive:
    return Naive(planted(name))


def names(*difficulties: int) -> list[str]:
    """Names of the planted models of some difficulties."""
    return [name for name, one in PLANTED.items() if one.difficulty in difficulties]


class Prompts:
    """Some rows of a program's counterfactual set, encoded."""

    def __init__(self, program: str, name: str, count: int) -> None:
        self.program = load_program(program)
        self.words = Words(self.program.words)
        self.rows = list(islice(self._fitting(name), count))
        self.base, self.other = (self.encoded([row[side] for row in self.rows]) for side in (0, 1))
        self.answers, self.foreign = (
            self.ids([self.program.answer(row[side]) for row in self.rows]) for side in (0, 1)
        )

    def _fitting(self, name: str) -> Iterator[tuple]:
        for base, other in self.program.rows("test", name):
            if self.program.answer(base) != self.program.answer(other):
                yield base, other

    def encoded(self, settings) -> np.ndarray:
        return np.array([[0, *self.words.encode(self.program.say(setting))] for setting in settings])

    def ids(self, answers) -> np.ndarray:
        return np.array([self.words.ids[answer] for answer in answers])

    def lead(self, logits: np.ndarray) -> np.ndarray:
        """Logit of the answer over the counterfactual's, ``[prompts]``."""
        rows = np.arange(len(logits))
        return logits[rows, self.answers] - logits[rows, self.foreign]

    def places(self, position: str) -> tuple[np.ndarray, np.ndarray]:
        """Token of a position in the prompts and in their counterfactuals."""
        found = next(one for one in self.program.positions if one.name == position)
        sides = ([row[side] for row in self.rows] for side in (0, 1))
        return tuple(
            np.array([located(found, one, self.program.say(one), self.words)[0] for one in side]) for side in sides
        )
