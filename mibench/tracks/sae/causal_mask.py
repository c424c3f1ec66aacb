"""A mask over the latents of a dictionary, trained through the network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from mibench.core.sites import Site
from mibench.engine.dictionaries.coder import Coder
from mibench.engine.interchange.options import Edit
from mibench.methods.alignment.fitting import Clock, Recipe, fit
from mibench.methods.alignment.site_map import Exported
from mibench.methods.variable.multi_task_das import balanced
from mibench.methods.variable_view import VariableView
from mibench.tasks.sae.causal import MaskTraining
from mibench.tasks.variable_parts import Training
from mibench.tracks.sae.causal_ranking import Candidate
from mibench.tracks.sae.causal_swap import LatentSwap


@dataclass(frozen=True)
class LatentMask:
    """Gates σ(m / T) of latents while training, m > 0 at the end; m starts at 0, T falls from 1 by equal factors.

    Attributes:
        logits: What is learnt, m, ``[d_sae]``.
        coder: The dictionary.
        sparsity: Price of an open gate.
        cold: Temperature after the last step.
        error: Whether the base's error is kept.
    """

    logits: Tensor
    coder: Coder
    sparsity: float
    cold: float
    error: bool

    def groups(self) -> list[dict[str, Any]]:
        """The one learnt tensor."""
        return [{"params": [self.logits]}]

    def gates(self, done: float) -> Tensor:
        """How much of each latent is swapped, ``[d_sae]``."""
        temperature = float(self.cold**done)
        return (self.logits / temperature).sigmoid()

    def edit(self, done: float) -> Edit:
        """The interchange by soft gates."""
        return LatentSwap(self.coder, self.gates(done), self.error)

    def penalty(self, done: float) -> Tensor:
        """The price of all gates."""
        return self.sparsity * self.gates(done).sum()

    def settle(self) -> None:
        """Nothing to put back."""

    def exported(self) -> Exported:
        """No operations; the latents whose gate is open."""
        return (), (self.logits.detach() > 0).cpu().numpy()

    def chosen(self) -> Tensor:
        """Open gates, the widest first, ``[k]``."""
        order = self.logits.detach().argsort(descending=True, stable=True)
        return order[: int((self.logits > 0).sum())]


def trained(view: VariableView, coder: Coder, how: MaskTraining, *, error: bool) -> list[Candidate]:
    """Train a mask for each price of a gate; rows that must change and rows that must stay count the same in all.

    Args:
        view: Model and training rows, with one site.
        coder: The dictionary.
        how: How.
        error: Whether the base's error is kept while training.
    """
    clock = Clock(view.progress, len(how.sparsities) * how.epochs * len(view.train))
    (site,) = view.sites
    training = Training(epochs=how.epochs, batch=how.batch, lr=how.lr)
    found = []
    for sparsity in how.sparsities:
        start = partial(_shut, coder, sparsity, how.cold, error)
        fitted = fit(view, (site,), Recipe(start, training, balanced), clock).maps[site]
        if not isinstance(fitted, LatentMask):
            raise TypeError("a mask was to be trained")
        found.append(Candidate(f"mask, price {sparsity:g}", fitted.chosen()))
    return found


def _shut(coder: Coder, sparsity: float, cold: float, error: bool, _site: Site, _: torch.Generator) -> LatentMask:  # noqa: FBT001
    decoder = coder.decoder
    logits = torch.zeros(coder.d_sae, device=decoder.device, dtype=decoder.dtype, requires_grad=True)
    return LatentMask(logits, coder, sparsity, cold, error)
