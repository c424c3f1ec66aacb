"""What is planted: sizes, the directions of the residual stream, and the codes of the variables' values.

The network reads ``BOS A B Q`` in any order of A and B, and answers with the token of the pair of values. A token of
``A`` is one of several synonyms of its value. The code of a value lies in the token's own subspace; at the layer that
moves the variable, one head copies it from there to another subspace of the last token, which the unembedding reads.
Everything else (other heads, MLPs, position embeddings) reads and writes the inert directions only, which carry
noise of the same variance in each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import numpy as np

Array = np.ndarray
VARIABLES = ("a", "b")


@dataclass(frozen=True)
class Plan:
    """Sizes and places; all else follows from them.

    Attributes:
        n_values: Values of each variable.
        synonyms: Tokens of a value, even: their noise comes in opposite pairs, so that it tells nothing of the value.
        moved_at: Layer whose head moves a variable, by name.
        margin: Logit between the right answer and the next, in nats.
        ballast: Of the constant direction that keeps norm layers near-linear, a share of √d_model.
        noise: Standard deviation of noise in a direction; that of a code in one of its directions is 1. At 1 already,
            a swap of noise into the read subspace changes answers by chance.
        inert_scale: How much heads and MLPs write to the inert directions.
    """

    n_values: int = 4
    synonyms: int = 32
    n_queries: int = 32
    d_model: int = 32
    n_heads: int = 4
    n_layers: int = 5
    margin: float = 6.0
    ballast: float = 2.0
    noise: float = 0.7
    inert_scale: float = 0.1
    seed: int = 0
    moved_at: dict[str, int] = field(default_factory=lambda: {"a": 2, "b": 3})

    @property
    def k(self) -> int:
        """Dimension of a variable."""
        return self.n_values - 1

    @property
    def head_dim(self) -> int:
        return self.d_model // self.n_heads

    @property
    def slow(self) -> tuple[int, int]:
        """Dimensions of a head that rotary embeddings of a large base leave alone over a few tokens."""
        return self.head_dim // 2 - 1, self.head_dim - 1

    @property
    def norm(self) -> float:
        """Length of the residual stream, near enough: the ballast, a type, a code or two, noise."""
        return float(np.sqrt(self.d_model * self.ballast**2 + 2 + self.noise_norm**2))

    @property
    def gain(self) -> float:
        """What a norm layer multiplies the stream by."""
        return float(np.sqrt(self.d_model)) / self.norm

    @property
    def noise_norm(self) -> float:
        """Length of a token's noise."""
        return self.noise * float(np.sqrt(self.n_inert / self.k))

    @property
    def n_inert(self) -> int:
        return self.d_model - 6 - 4 * self.k

    @property
    def directions(self) -> dict[str, Array]:
        """Orthonormal ``[d_model, n]`` by name; together a basis of the stream without its mean."""
        rng = np.random.default_rng([self.seed, 1])
        start = np.column_stack([np.ones(self.d_model), rng.normal(size=(self.d_model, self.d_model - 1))])
        rest = np.linalg.qr(start)[0][:, 1:]
        names = ["ballast", "bos", "is_a", "is_b", "is_q"]
        widths = [1] * 5 + [self.k] * 4 + [self.n_inert]
        names += ["own_a", "own_b", "moved_a", "moved_b", "inert"]
        return dict(zip(names, np.split(rest, np.cumsum(widths)[:-1], axis=1), strict=True))

    @property
    def codes(self) -> Array:
        """Corners of a simplex ``[n_values, k]``, each of length 1."""
        centred = np.eye(self.n_values) - 1 / self.n_values
        corners = np.linalg.svd(centred)[0][:, : self.k]
        return np.asarray(corners / np.linalg.norm(corners, axis=1, keepdims=True))

    @property
    def vocab_size(self) -> int:
        return 1 + 2 * self.n_values * self.synonyms + self.n_queries + self.n_values**2

    def token(self, variable: str, value: int, synonym: int) -> int:
        """Id of a synonym of a value."""
        return 1 + (VARIABLES.index(variable) * self.n_values + value) * self.synonyms + synonym

    def query(self, which: int) -> int:
        """Id of a query token."""
        return 1 + 2 * self.n_values * self.synonyms + which

    def answer(self, a: int, b: int) -> int:
        """Id of the answer for a pair of values."""
        return self.query(self.n_queries) + a * self.n_values + b

    def embeddings(self) -> Array:
        """Token embeddings ``[vocab, d_model]``; those of answers are never read."""
        parts, rng = self.directions, np.random.default_rng([self.seed, 2])
        table = np.zeros((self.vocab_size, self.d_model)) + self.ballast * np.sqrt(self.d_model) * parts["ballast"].T
        table[0] += parts["bos"][:, 0]
        for variable, value in product(VARIABLES, range(self.n_values)):
            rows = [self.token(variable, value, synonym) for synonym in range(self.synonyms)]
            meaning = parts[f"is_{variable}"][:, 0] + parts[f"own_{variable}"] @ self.codes[value]
            table[rows] += meaning + self._noise(rng, self.synonyms)
        table[[self.query(which) for which in range(self.n_queries)]] += parts["is_q"].T
        table[[self.query(which) for which in range(self.n_queries)]] += self._noise(rng, self.n_queries)
        return table

    def unembedding(self) -> Array:
        """``[vocab, d_model]``: an answer's row reads the codes of its two values where they were moved to."""
        parts, table = self.directions, np.zeros((self.vocab_size, self.d_model))
        scale = self.margin / self.gain * self.k / self.n_values
        for a, b in product(range(self.n_values), repeat=2):
            row = parts["moved_a"] @ self.codes[a] + parts["moved_b"] @ self.codes[b]
            table[self.answer(a, b)] = scale * row
        return table

    def _noise(self, rng: np.random.Generator, n: int) -> Array:
        half = rng.normal(size=(n // 2, self.n_inert))
        half *= self.noise_norm / np.linalg.norm(half, axis=1, keepdims=True)
        return np.asarray(np.concatenate([half, -half]) @ self.directions["inert"].T)
