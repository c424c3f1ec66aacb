"""Memory of the circuit track on big models: the arithmetic beside what the engine's own code takes.

    python benchmarks/big.py [--shape llama-3.1-8b] [--batch 8] [--length 64] [--steps 5] [--dtype bfloat16]

The engine runs on tensors without numbers (torch's FakeTensorMode), so that no card, no weights and no memory are
needed; bytes of all tensors that live at once are counted. Memory inside kernels and the gaps of an allocator are not
in it. Pairs share no prefix and circuits hold half of the edges: the most that a batch can take. Attention is
``sdpa``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

os.environ["OMP_NUM_THREADS"] = "1"

import click
import numpy as np
import torch
from inputs import random_circuit
from shapes import SHAPES, Shape
from torch._subclasses.fake_tensor import FakeTensorMode

from mibench.engine.attribution.edges import LAYERS_AT_ONCE, Attribution, edge_products
from mibench.engine.base import prepare
from mibench.engine.batches import PairBatch
from mibench.engine.circuits.circuit_pass import circuit_logits
from mibench.engine.memory import LiveBytes
from mibench.engine.model import LanguageModel
from mibench.tasks.encode import EncodedPair

SHARE = 0.5
"""Of the edges, in the circuit that is evaluated."""
GB = 1e9
LLAMA_KIND = {name: shape for name, shape in SHAPES.items() if shape.config.model_type in {"llama", "qwen2"}}
"""Shapes whose terms are known here."""


def params_of(shape: Shape) -> int:
    """Parameters, biases and norms included."""
    biases = shape.d_model + 2 * shape.d_kv if shape.config.model_type == "qwen2" else 0
    attention = 2 * shape.d_model * (shape.d_model + shape.d_kv) + biases
    block = attention + 3 * shape.d_model * shape.d_mlp + 2 * shape.d_model
    vocabularies = 1 if shape.config.tie_word_embeddings else 2
    return shape.n_layers * block + shape.d_model + vocabularies * shape.head_params


@dataclass(frozen=True)
class Work:
    """What is asked for.

    Attributes:
        shape: Of the model.
        batch: Pairs of a batch.
        length: Tokens of a prompt.
        steps: Gradient steps.
        chunk: Tokens scored at once.
        item: Bytes of a weight; sums take at least 4.
    """

    shape: Shape
    batch: int
    length: int
    steps: int
    chunk: int
    item: int

    @property
    def tokens(self) -> int:
        """Tokens of a batch."""
        return self.batch * self.length

    @property
    def sums(self) -> int:
        """Bytes of a number that is summed."""
        return max(4, self.item)

    def model(self) -> dict[str, float]:
        """What is there all the time."""
        s = self.shape
        copies = self.sums > self.item
        return {
            "weights": params_of(s) * self.item,
            "folded q, k, v": s.n_layers * (s.d_model + 2 * s.d_kv) * s.d_model * self.sums,
            "output projections, widened": s.n_layers * s.d_model**2 * self.sums * copies,
        }

    def run(self, *, by_head: bool) -> float:
        """A plain run written down: two streams, attention's output, heads, MLP, and q, k, v.

        Args:
            by_head: Keys and values are there for every query head, as where gradients are taken.
        """
        s = self.shape
        projected = 3 * s.d_model if by_head else s.d_model + 2 * s.d_kv
        return self.tokens * self.item * (s.n_layers * (5 * s.d_model + projected) + 3 * s.d_model)

    def graph(self) -> float:
        """What autograd keeps of one run to go back, beside what is written down; inputs of frozen weights it does not.

        Of each block: the inputs of two norms, widened; q and k after rotation; the MLP's gate, that through the
        activation, and the other branch.
        """
        s = self.shape
        widened = 2 * s.d_model * self.sums * (1 if self.sums > self.item else 0)
        normed = 0 if self.sums > self.item else 2 * s.d_model * self.item
        return self.tokens * s.n_layers * (widened + normed + (2 * s.d_model + 3 * s.d_mlp) * self.item)

    def gradients(self, steps: int) -> float:
        """Gradients as they are kept over steps: q, k, v of every head, MLP; and streams with factors, one a step."""
        s = self.shape
        return self.tokens * self.sums * s.n_layers * (4 * s.d_model + steps * (s.d_model + 3 * s.n_heads))

    def deltas(self) -> float:
        """Differences of heads and MLPs before the output projection."""
        return self.tokens * self.sums * self.shape.n_layers * 2 * self.shape.d_model

    def attribution(self) -> dict[str, float]:
        """EAP-IG in its two stages: the passes, at the last step, and the scoring of a chunk of tokens."""
        s, chunk = self.shape, min(self.chunk, self.tokens)
        rows = 3 * s.n_heads + 1
        columns = min(LAYERS_AT_ONCE, s.n_layers) * rows
        found = self.tokens * s.n_layers * 4 * s.d_model * self.item
        return {
            "passes: clean run written down": self.run(by_head=False),
            "passes: counterfactual run written down": self.run(by_head=True),
            "passes: this step's run written down": self.run(by_head=True),
            "passes: its autograd graph": self.graph(),
            "passes: differences of heads and MLPs": self.deltas(),
            "passes: gradients of the steps before": self.gradients(self.steps - 1),
            "passes: gradients found": found,
            "scoring: differences and gradients": self.deltas() + self.gradients(self.steps),
            "scoring: sources of a chunk": chunk * self.sums * s.graph.n_sources * s.d_model,
            "scoring: destinations of a chunk": chunk * self.sums * (columns + rows) * s.d_model,
            "scoring: scores": 8 * s.graph.n_sources * (s.n_layers * rows + 1),
        }

    def evaluation(self) -> dict[str, float]:
        """A circuit in which every destination reads a set of sources of its own."""
        s = self.shape
        rows = 3 * s.n_heads
        columns = min(LAYERS_AT_ONCE, s.n_layers) * (rows + 1)
        return {
            "both runs written down": 2 * self.run(by_head=False),
            "sources": self.tokens * self.sums * s.graph.n_sources * s.d_model,
            "streams of four layers": self.tokens * self.sums * columns * s.d_model,
            "weights of one layer's slots": self.sums * rows * s.head_dim * s.d_model,
        }


def peak_of(terms: dict[str, float], stage: str) -> float:
    """Sum of the terms of a stage."""
    return sum(size for name, size in terms.items() if name.startswith(stage))


def pairs_of(work: Work) -> PairBatch:
    """A batch of random pairs that differ everywhere."""
    rng = np.random.default_rng(0)
    clean = torch.from_numpy(rng.integers(0, 1000, (work.batch, work.length)))
    pairs = tuple(EncodedPair(str(row), (0,), (1,), (1,), (2,)) for row in range(work.batch))
    last = torch.full((work.batch,), work.length - 1)
    return PairBatch(tuple(range(work.batch)), clean, clean + 1, pairs, 0, last)


def measured(work: Work, dtype: torch.dtype) -> Iterator[tuple[str, float]]:
    """Peaks of each stage over what the model itself takes."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        hf = work.shape.model("cpu", dtype)
        model, batch = LanguageModel(hf), pairs_of(work)
        with LiveBytes() as live:
            live.count([*hf.parameters(), *hf.buffers()])
            list(model.folded), list(model.out_weights)
            yield "model", live.now
            start = live.peak = live.now
            alphas = tuple(step / work.steps for step in range(work.steps))
            products = edge_products(model, batch, Attribution(alphas, chunk_tokens=work.chunk))
            yield "passes", live.peak - start
            live.peak = live.now
            products.total()
            yield "scoring", live.peak - start
            del products
            live.peak = live.now
            sides = prepare(model, batch, None)
            with torch.no_grad():
                circuit_logits(model, sides, random_circuit(model.graph, SHARE))
            yield "evaluation", live.peak - start


@click.command()
@click.option("--shape", type=click.Choice(list(LLAMA_KIND)), default="llama-3.1-8b", show_default=True)
@click.option("--batch", default=8, show_default=True, help="Pairs.")
@click.option("--length", default=64, show_default=True, help="Tokens of a prompt.")
@click.option("--steps", default=5, show_default=True, help="Steps of EAP-IG.")
@click.option("--chunk", default=Attribution.chunk_tokens, show_default=True, help="Tokens scored at once.")
@click.option("--dtype", type=click.Choice(["bfloat16", "float32"]), default="bfloat16", show_default=True)
def main(shape: str, batch: int, length: int, steps: int, chunk: int, dtype: str) -> None:
    """Print terms, their sums, and measured peaks, in GB (10^9 bytes)."""
    kind = getattr(torch, dtype)
    work = Work(SHAPES[shape], batch, length, steps, chunk, kind.itemsize)
    found = dict(measured(work, kind))
    everything = {"model": work.model(), "attribution": work.attribution(), "evaluation": work.evaluation()}
    for name, terms in everything.items():
        print(f"\n{name}")
        for term, size in terms.items():
            print(f"  {term:<42}{size / GB:8.2f}")
    sums = {"model": sum(work.model().values()), "evaluation": sum(work.evaluation().values())}
    sums |= {stage: peak_of(work.attribution(), stage) for stage in ("passes", "scoring")}
    print(f"\n{'':<14}{'terms':>9}{'measured':>10}{'ratio':>8}{'with the model':>16}")
    for stage, peak in found.items():
        whole = peak + (0 if stage == "model" else found["model"])
        print(f"{stage:<14}{sums[stage] / GB:9.2f}{peak / GB:10.2f}{sums[stage] / peak:8.2f}{whole / GB:16.2f}")


if __name__ == "__main__":
    main()
