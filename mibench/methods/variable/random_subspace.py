"""A random subspace: the control of every method that searches for one."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.core.sites import Site
from mibench.methods.alignment.settings import Count
from mibench.methods.method import method
from mibench.methods.subspaces.directions import rotation
from mibench.methods.variable_view import VariableView


@method(track="variable", name="random-subspace", version=1, needs=("randomness",), levels=())
def random_subspace(view: VariableView, *, k: Count = None) -> Featurizers:
    """Swap k directions that nobody looked for: x' = x + (x_source − x) R Rᵀ, R orthonormal, ``[width, k]``.

    R is uniform over k-dimensional frames: Q of a QR decomposition of Gaussian noise, R's diagonal positive, drawn
    from the seed and the site's name. It is where DAS of the same k starts from, so what it reaches is owed to k.
    Cost: none. Source: the control that the causal-variable track of MIB (arXiv 2504.13151) lacks; for the uniform
    draw, Mezzadri (2006), arXiv math-ph/0609050.

    Args:
        view: The cell's view.
        k: Number of directions; None: the task's default.
    """
    sizes = {site: view.size(site, k) for site in view.sites}
    found = {site: (rotation(_frame(view, site, size)),) for site, size in sizes.items()}
    numbers = {site.name: size for site, size in sizes.items()}
    return view.featurizers({site: (operations, "all") for site, operations in found.items()}, k=numbers)


def _frame(view: VariableView, site: Site, size: int) -> NDArray[np.float64]:
    noise = torch.randn(view.width(site), size, generator=view.generator_for(site), dtype=torch.float64)
    frame, triangle = np.linalg.qr(noise.numpy())
    return np.asarray(frame * np.where(np.diag(triangle) < 0, -1.0, 1.0), dtype=np.float64)
