"""What synthetic activations are made of, as numbers and a seed; `make_truth` turns it into directions and rates."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Firing:
    """How often the features fire, by rank: a power law, stretched to end at both rates.

    Attributes:
        highest: Rate of the first feature.
        lowest: Rate of the last.
        exponent: Of the power law; 0: all features fire at the highest rate.
    """

    highest: float
    lowest: float
    exponent: float = 0.5


@dataclass(frozen=True)
class Forest:
    """Trees of features: a child fires only where its parent does, and of siblings one at most.

    Attributes:
        roots: Number of trees.
        branching: Children of each feature.
        depth: Generations below the root.
        scaled: Whether a child's magnitude is multiplied by its parent's, over the parent's mean.
    """

    roots: int
    branching: int
    depth: int
    scaled: bool = False

    @property
    def size(self) -> int:
        """Features in all trees."""
        count, total = self.roots, self.roots
        for _ in range(self.depth):
            count *= self.branching
            total += count
        return total


@dataclass(frozen=True)
class Correlation:
    """A Gaussian copula of low rank between features that have no parent.

    Attributes:
        rank: Number of common factors.
        scale: Standard deviation of each loading, so that a feature shares about ``rank · scale²`` of its variance.
    """

    rank: int
    scale: float


@dataclass(frozen=True)
class Normal:
    """Magnitudes ``m_i + s_i ε`` where positive, drawn again where not.

    Attributes:
        first: Mean ``m`` of the most frequent feature; it falls linearly by rank.
        last: Mean of the rarest.
        spread: Mean and standard deviation of the normal law whose absolute value is ``s_i``.
    """

    first: float = 5.0
    last: float = 4.0
    spread: tuple[float, float] = (0.5, 0.5)


@dataclass(frozen=True)
class Uniform:
    """Magnitudes between 0 and 1."""


@dataclass(frozen=True)
class Spreading:
    """Gradient steps (Adam) that push directions apart.

    Attributes:
        steps: Number; 0: directions stay random.
        lr: Learning rate.
    """

    steps: int = 100
    lr: float = 3e-4


@dataclass(frozen=True)
class Recipe:
    """A law of activations.

    Attributes:
        features: Number of true features.
        width: Entries of an activation.
        firing: How often they fire.
        forest: Which imply which; None: none does.
        correlation: How the others fire together; None: independently.
        magnitudes: How strongly they fire.
        spreading: How far their directions are pushed apart.
        bias: Norm of the vector that is added to every activation.
        noise: Standard deviation of Gaussian noise in each entry.
        seed: Of directions, loadings, spreads and bias. Samples have seeds of their own.
    """

    features: int
    width: int
    firing: Firing
    forest: Forest | None = None
    correlation: Correlation | None = None
    magnitudes: Normal | Uniform = field(default_factory=Normal)
    spreading: Spreading = field(default_factory=Spreading)
    bias: float = 0.0
    noise: float = 0.0
    seed: int = 0

    def facts(self) -> dict[str, Any]:
        """What fixes the law, as JSON values."""
        return asdict(self) | {"magnitude_law": type(self.magnitudes).__name__}
