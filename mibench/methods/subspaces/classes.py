"""Samples by the value of the causal variable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mibench.methods.subspaces.fits import Unfit
from mibench.methods.subspaces.samples import Samples


@dataclass(frozen=True)
class Classes:
    """Samples of the values that occur at least twice.

    Attributes:
        names: The values, sorted, ``[classes]``.
        places: Place in ``names`` of each sample that is kept, ``[samples]``.
        values: Activations of these samples, ``[samples, width]``.
        noise: Length below which a direction is taken for rounding.
    """

    names: NDArray[np.str_]
    places: NDArray[np.intp]
    values: NDArray[np.float64]
    noise: float

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of the samples in each class, ``[classes]``."""
        return np.bincount(self.places, minlength=len(self.names)) / len(self.places)

    @property
    def means(self) -> NDArray[np.float64]:
        """Mean of each class, ``[classes, width]``."""
        return np.stack([self.values[self.places == place].mean(0) for place in range(len(self.names))])

    @property
    def between(self) -> NDArray[np.float64]:
        """Class means minus the mean of all samples, times √share: their Gram matrix is the covariance of the means."""
        means, shares = self.means, self.shares
        return np.asarray((means - shares @ means) * np.sqrt(shares)[:, None], dtype=np.float64)

    @property
    def within(self) -> NDArray[np.float64]:
        """Samples minus the mean of their class, ``[samples, width]``."""
        return np.asarray(self.values - self.means[self.places], dtype=np.float64)


def classes_of(samples: Samples) -> Classes:
    """Sort samples by value.

    Raises:
        Unfit: Fewer than two values occur twice.
    """
    names, places, counts = np.unique(samples.classes, return_inverse=True, return_counts=True)
    kept = (counts >= 2)[places]
    if (counts >= 2).sum() < 2:
        raise Unfit(f"the variable has {len(names)} values, of which fewer than two occur at least twice")
    names, places = np.unique(samples.classes[kept], return_inverse=True)
    return Classes(names, places, samples.values[kept], samples.noise)
