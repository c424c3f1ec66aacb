"""Activations at a site, with the value that the causal variable has in each prompt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mibench.core.sites import Site
from mibench.engine.interchange.interchanges import Interchanges
from mibench.methods.variable_view import VariableView
from mibench.tasks.interchange import EncodedInterchange

_LEAST, _MOST = 1e-10, 1e-4


@dataclass(frozen=True)
class Samples:
    """What a site holds on the training prompts, base and source; every token of a position is one sample.

    Attributes:
        values: Activations, ``[samples, width]``.
        classes: Value of the variable in the prompt of each sample, as text, ``[samples]``.
        noise: Length below which a direction is taken for rounding.
    """

    values: NDArray[np.float64]
    classes: NDArray[np.str_]
    noise: float

    @property
    def centred(self) -> NDArray[np.float64]:
        """The activations minus their mean, ``[samples, width]``."""
        return np.asarray(self.values - self.values.mean(0), dtype=np.float64)


def samples_of(view: VariableView, sites: Sequence[Site]) -> Iterator[tuple[Site, Samples]]:
    """The training samples of each site, in order; prompts that occur in several rows count as often as they occur."""
    parts = list(_parts(view, sites))
    # Rounding of the model's type; more than 1e-4 of the activations would hide what is really there.
    share = min(_MOST, max(_LEAST, 4 * torch.finfo(view.model.dtype).eps))
    for site in sites:
        values = np.concatenate([part.held[site].flatten(0, 1).double().cpu().numpy() for part in parts])
        classes = np.concatenate([np.repeat(part.texts, part.held[site].shape[1]) for part in parts])
        scale = float(np.sqrt(np.square(values).sum(1).mean()))
        yield site, Samples(values, classes, share * scale)


@dataclass(frozen=True)
class _Part:
    """Activations of some prompts, ``[rows, n_pos, width]`` a site, and the variable's value in each."""

    held: Mapping[Site, Tensor]
    texts: NDArray[np.str_]


def _parts(view: VariableView, sites: Sequence[Site]) -> Iterator[_Part]:
    """Base and source prompts, those together whose positions have equally many tokens."""
    positions = list(dict.fromkeys(site.position for site in sites))
    alike: dict[tuple[int, ...], list[EncodedInterchange]] = defaultdict(list)
    for row in view.train:
        alike[tuple(len(row.base_positions.get(name, ())) for name in positions)].append(row)
    for rows in alike.values():
        whole = len(alike) == 1
        runs = view.interchanges() if whole else Interchanges(view.model, rows, view.options, view.counter)
        yield _Part(runs.bases(sites), np.array([row.base_value for row in rows], dtype=np.str_))
        yield _Part(runs.sources(sites), np.array([row.source_value for row in rows], dtype=np.str_))
