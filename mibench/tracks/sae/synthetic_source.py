"""Training activations drawn from a law of known features, without end and never the same twice."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import torch

from mibench.core.hashing import digest
from mibench.engine.activations.source import Activations
from mibench.tasks.synthetic.samples import Sampler
from mibench.tasks.synthetic.settings import SyntheticSettings
from mibench.tasks.synthetic.truth import make_truth

TRAIN, FIT, VALIDATION, TEST = range(4)
"""What samples are for, the first part of their key: no two share any."""


class SyntheticSource:
    """An `ActivationSource` of new samples in every batch, epochs included; any batch can be drawn first.

    Attributes:
        n_tokens: Samples that count as one epoch.
        d_in, d_out: Entries of an activation.
        digest: sha256 of the law.

    Args:
        settings: Of the task.
    """

    def __init__(self, settings: SyntheticSettings) -> None:
        self._settings = settings
        self.n_tokens = settings.training
        self.d_in = self.d_out = settings.recipe.width
        self.digest = digest({"recipe": settings.recipe.facts(), "role": TRAIN, "samples": settings.training})

    def batches(self, size: int, seed: int, *, skip: int = 0) -> Iterator[Activations]:
        """Yield batches of ``size`` samples without end; skipping costs nothing."""
        sampler = Sampler(make_truth(self._settings.recipe))
        for index in count(skip):
            x = torch.from_numpy(sampler.draw(size, (TRAIN, seed, size, index)).x)
            yield Activations(x, x)
