"""A view whose activations are planted, and whose answer is read off one site: methods with known results."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from tiny_models import tiny_model
from torch import Tensor

from mibench.core.sites import Site
from mibench.engine.interchange.options import Intervention
from mibench.engine.interchange.outputs import Outputs
from mibench.engine.model import LanguageModel
from mibench.methods.variable_view import Ground, VariableView
from mibench.tasks.interchange import EncodedInterchange
from mibench.tasks.variable_parts import Training

WIDTH = 16
HERE, THERE, NOWHERE = Site(0, "last"), Site(1, "last"), Site(2, "last")


@cache
def small_model() -> LanguageModel:
    return LanguageModel(tiny_model("gpt2"))


def row(place: int, base_value: str, source_value: str, **changes: Any) -> EncodedInterchange:
    """A row whose answer is the variable's value: token 1 for ``a``, 2 for ``b``, 3 for ``c``."""
    tokens = {"a": (1,), "b": (2,), "c": (3,)}
    base, source = (tokens.get(value, (4,)) for value in (base_value, source_value))
    plain = EncodedInterchange(
        id=str(place),
        set="swap",
        base=(5, 6, 7),
        source=(8, 9, 10),
        base_positions={"last": (2,)},
        source_positions={"last": (2,)},
        accepted=(source,),
        base_accepted=(base,),
        source_accepted=(source,),
        cause=base_value != source_value,
        expected=source_value,
        base_expected=base_value,
        source_expected=source_value,
        base_value=base_value,
        source_value=source_value,
    )
    return dataclasses.replace(plain, **changes)


def rows_of(base_values: Sequence[str], source_values: Sequence[str]) -> tuple[EncodedInterchange, ...]:
    return tuple(row(place, *values) for place, values in enumerate(zip(base_values, source_values, strict=True)))


class PlantedRuns:
    """Stands in for ``Interchanges``: the answer is ``a`` as far as ``reader`` finds more than 0 at ``site``."""

    def __init__(
        self,
        rows: Sequence[EncodedInterchange],
        base: Mapping[Site, Tensor],
        source: Mapping[Site, Tensor],
        site: Site | None = None,
        reader: Tensor | None = None,
    ) -> None:
        self.rows, self.base, self.source, self.site, self.reader = rows, base, source, site, reader
        self.signs = torch.tensor([1.0 if row.label == (1,) else -1.0 for row in rows], dtype=torch.float64)

    def bases(self, sites: Sequence[Site]) -> dict[Site, Tensor]:
        return {site: self.base[site] for site in sites}

    def sources(self, sites: Sequence[Site]) -> dict[Site, Tensor]:
        return {site: self.source[site] for site in sites}

    def plain(self) -> Outputs:
        return self.run([()])

    def run(self, interventions: Sequence[Intervention]) -> Outputs:
        margins = []
        for intervention in interventions:
            held = dict(self.base)
            for one in intervention:
                held[one.site] = one.edit(held[one.site], self.source[one.site])
            margins.append((held[self.site][:, -1] @ self.reader) * self.signs)
        margin = torch.stack(margins)
        return Outputs((margin > 0).numpy(), torch.nn.functional.logsigmoid(margin).numpy(), margin.numpy())


def planted_view(
    runs: PlantedRuns, *, size: Callable[[int], int] = lambda width: min(width, 4), **changes: Any
) -> VariableView:
    """A view of the planted sites, one by one; ``changes`` go into its ground or into itself."""
    sites = tuple(sorted(runs.base))
    ground = Ground("planted", "gpt2", "value", tuple((site,) for site in sites), size, Training())
    fields = {field.name for field in dataclasses.fields(Ground)}
    ground = dataclasses.replace(ground, **{key: value for key, value in changes.items() if key in fields})
    own = {key: value for key, value in changes.items() if key not in fields}
    view = VariableView(small_model(), ground, runs.rows, runs.rows, **own)
    view._runs.update(train=runs, validation=runs)
    return view


def planted_activations(
    values: Sequence[Sequence[str]], means: Mapping[str, np.ndarray], noise: np.ndarray | None = None, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Base and source activations ``[rows, 1, width]``: class mean plus noise of covariance ``noise noiseᵀ``.

    The noise of a class has mean 0 and, over all samples, exactly that covariance.
    """
    names = np.concatenate([np.asarray(part) for part in values])
    drawn = np.random.default_rng(seed).standard_normal((len(names), WIDTH))
    for name in set(names.tolist()):
        drawn[names == name] -= drawn[names == name].mean(0)
    drawn = drawn @ np.linalg.inv(np.linalg.cholesky(drawn.T @ drawn / len(names))).T
    shaped = drawn @ (np.zeros((WIDTH, WIDTH)) if noise is None else noise).T
    found = torch.from_numpy(shaped + np.stack([means[name] for name in names]))[:, None]
    n = len(values[0])
    return found[:n], found[n:]


def angle(first: np.ndarray, second: np.ndarray) -> float:
    """Largest principal angle between the spans of two sets of columns, by its sine."""
    q, r = np.linalg.qr(first)[0], np.linalg.qr(second)[0]
    return float(np.linalg.norm(r - q @ (q.T @ r), 2))
