"""What the stages of a cell hold in memory at once, from the shapes of the model and the tokens of a batch.

With T tokens behind the shared prefix, L layers, H heads (K of keys and values), head size h, width d, MLP width F and
S = 1 + L (H + 1) sources; a and w are the bytes of sums and of weights:

- a plain run keeps L T (4 d + 2 (H + K) h) w, its autograd graph L T (10 d + 7 H h + 4 F) w besides;
- edge attribution keeps two runs, a graph, and L T (4 H h + 2 d) a of changes and gradients; then chunks of tokens
  c take c d (S + 8 (3 H + 1)) a;
- evaluation keeps two runs and S T d a for the sources of a circuit; the streams of a group of four layers, which
  are as many as their destinations that read different sources, take d a a token each, up to three times;
- an edge mask that is learnt keeps twice the sources and 9 H d a a layer and token.

Checked against the peaks of stored records (tests/unit/runner/test_fits.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from mibench.core.specs import Level
from mibench.models.footprint import ITEM_BYTES, Footprint, accumulate_bytes

CHUNK_TOKENS = 256
ATTENDED_TOKENS = 4096
LAYERS_AT_ONCE = 4
KEPT_BYTES = 1 << 30
"""Prepared batches that mask training keeps, at most."""
CACHE_BYTES = 4 << 30
"""Base runs that training of featurizers keeps, at most."""
MAX_LOGITS = 1 << 23
"""Logits that losses of a text take at once, at most."""


@dataclass(frozen=True)
class Load:
    """What a cell works on.

    Attributes:
        size: The model.
        dtype: Type of its weights.
        rows: Examples a batch.
        tokens: Tokens of a batch.
        fresh: Those behind the prefix that prompts share.
        kept: Tokens of all training examples, where their runs are kept.
    """

    size: Footprint
    dtype: str
    rows: int
    tokens: float
    fresh: float
    kept: float = 0.0

    @property
    def weight(self) -> int:
        """Bytes of a number of the model."""
        return ITEM_BYTES[self.dtype]

    @property
    def sums(self) -> int:
        """Bytes of a number in sums."""
        return accumulate_bytes(self.dtype)

    def logits(self, rows: float) -> float:
        """Bytes of so many rows of logits and what is made of them."""
        return rows * self.size.vocab * (self.weight + 3 * self.sums)

    def run(self, tokens: float) -> float:
        """Bytes of a plain run with everything written down."""
        one = self.size
        return (
            one.n_layers * tokens * (4 * one.d_model + 2 * (one.n_heads + one.n_kv_heads) * one.head_dim) * self.weight
        )

    def graph(self, tokens: float) -> float:
        """Bytes of the autograd graph of a run, gradients towards what is written down included."""
        one = self.size
        patterns = 3 * one.n_heads * tokens / max(1, self.rows) if one.eager else 0
        width = 10 * one.d_model + 7 * one.n_heads * one.head_dim + 4 * one.d_mlp + patterns
        return one.n_layers * tokens * width * self.weight


def attribution(load: Load, steps: int = 1) -> float:
    """Bytes that gradients of all edges take at once, summed over ``steps`` points; both ends may be among them."""
    one, tokens = load.size, load.fresh
    width = one.n_heads * one.head_dim
    held = one.n_layers * tokens * (4 * width + (2 + steps) * one.d_model) * load.sums
    chunk = min(tokens, CHUNK_TOKENS)
    columns = 2 * min(LAYERS_AT_ONCE, one.n_layers) * (3 * one.n_heads + 1)
    products = chunk * one.d_model * (one.n_nodes + columns) * load.sums
    ends = min(steps, 2)
    runs = (1 + ends) * load.run(tokens) + ends * load.graph(tokens) + load.logits(2 * load.rows)
    return held + max(runs, products)


def evaluation(load: Load, level: Level) -> float:
    """Bytes that the circuits of a curve take, the largest of them."""
    one, tokens = load.size, load.fresh
    per_layer = (3 * one.n_heads if level is Level.EDGE else 1) + 1
    group = LAYERS_AT_ONCE * per_layer if not one.post_norm else 3 * per_layer
    streams = tokens * one.d_model * load.sums * (one.n_nodes + 2 * group + per_layer)
    slots = 3 * 3 * one.n_heads * tokens * one.head_dim * load.sums
    return 2 * load.run(tokens) + streams + slots + load.logits(3 * load.rows)


def mask_training(load: Load, level: Level) -> float:
    """Bytes that a step of a learnt mask takes."""
    one, tokens = load.size, load.fresh
    edges = level is Level.EDGE
    layer = (9 if edges else 1) * one.n_heads * one.d_model
    layers = one.n_layers**2 / 2 if edges and one.post_norm else one.n_layers
    sources = 2 * one.n_nodes * one.d_model if edges else 0
    mask = one.graph.n_edges * 8 * load.sums if edges else 0
    streams = tokens * load.sums * (sources + layers * layer)
    return streams + load.graph(tokens) + load.run(tokens) + _kept(load) + mask + load.logits(2 * load.rows)


def plain_training(load: Load) -> float:
    """Bytes that a step takes of a method that learns constants, whose positions share no prefix."""
    return load.run(load.tokens) + load.graph(load.tokens) + _kept(load) + load.logits(2 * load.rows)


def gradient_drop(load: Load, level: Level) -> float:
    """Bytes that AtP* takes besides: gradients at the heads for each block that is dropped, changed queries."""
    one = load.size
    if level is not Level.EDGE:
        return attribution(load)
    at_heads = one.n_layers**2 * load.fresh * one.n_heads * one.head_dim * load.weight
    changed = ATTENDED_TOKENS * (one.d_model + 2 * one.n_heads * one.head_dim) * 4 * load.sums
    return attribution(load) + at_heads + changed


def _kept(load: Load) -> float:
    """Bytes of the prepared batches that training keeps."""
    one = load.size
    width = 3 * one.d_model + one.n_heads * one.head_dim
    return min(KEPT_BYTES, load.kept * one.n_layers * width * load.weight)


def interchange(load: Load, batch_tokens: int) -> float:
    """Bytes that the answers under interchange interventions take, ``batch_tokens`` at once."""
    one = load.size
    swapped = batch_tokens * (4 * one.d_mlp + 8 * one.d_model) * load.sums
    return 2 * load.tokens * _tape(load) + swapped + load.logits(max(load.rows, batch_tokens / 4))


def featurizer_training(load: Load) -> float:
    """Bytes that a step takes of training featurizers, base runs kept."""
    kept = min(CACHE_BYTES, load.kept * _tape(load))
    return kept + load.graph(load.tokens) + load.run(load.tokens) + load.logits(2 * load.rows)


def _tape(load: Load) -> int:
    """Bytes a token of a run that interventions begin from."""
    one = load.size
    return one.n_layers * (one.d_model + 2 * one.n_kv_heads * one.head_dim) * load.weight


def dictionary(load: Load, width: int, batch: int) -> float:
    """Bytes that training and scoring a dictionary of ``width`` latents take."""
    one = load.size
    weights = 2 * width * one.d_model * 4 * load.sums
    step = batch * (6 * width + 4 * one.d_model) * load.sums
    pool = 4096 * one.d_model * load.sums + load.kept * one.d_model * load.sums
    logits = load.logits(min(load.tokens, MAX_LOGITS / one.vocab))
    return weights + step + pool + load.run(load.tokens) + logits
