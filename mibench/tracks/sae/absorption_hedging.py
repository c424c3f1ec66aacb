"""Hedging: decoder rows of the kinds' latents held against directions of their members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from mibench.engine.dictionaries.coder import Coder
from mibench.metrics.bootstrap import Resampling
from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import Metric
from mibench.metrics.sae.absorption_main import MainLatents
from mibench.metrics.sae.absorption_scores import missing
from mibench.metrics.sae.hedging import Members, hedging, hedging_null, member_directions, unit
from mibench.metrics.sae.terms import Terms, metric_value
from mibench.records.record import MetricValue
from mibench.tracks.sae.absorption_words import WordActivations, WordRows


@dataclass(frozen=True, eq=False)
class KindLatents:
    """A dictionary's latents for kinds.

    Attributes:
        kinds: Kinds that have one.
        rows: Unit decoder rows of these ``[kinds, width]``.
    """

    kinds: np.ndarray
    rows: FloatArray

    @classmethod
    def of(cls, coder: Coder, main: Sequence[MainLatents], found: float) -> KindLatents:
        """First main latent of each kind whose probe on main latents has F1 of ``found`` or more on validation."""
        kinds = [kind for kind, one in enumerate(main) if len(one.latents) and one.validation_f1 >= found]
        latents = [int(main[kind].latents[0]) for kind in kinds]
        rows = coder.decoder[latents].double().cpu().numpy()
        return cls(np.array(kinds, dtype=np.int64), rows.reshape(len(kinds), coder.d_out))


class Hedging:
    """Directions of kinds and members, measured when they are first needed.

    Args:
        rows: Prompts.
        activations: Of these.
        resampling: Of the bootstrap.
    """

    def __init__(self, rows: WordRows, activations: WordActivations, resampling: Resampling) -> None:
        self._rows, self._activations, self._resampling = rows, activations, resampling

    def metrics(self, own: KindLatents, null: KindLatents | str) -> dict[str, MetricValue]:
        """``hedging`` with its ceiling, and ``hedging_null``, of latents of a frozen decoder or why there are none."""
        value = self._value(hedging, own)
        oracle = hedging(self.kind_directions[own.kinds], own.kinds, self.members).value
        found = {hedging.name: value.model_copy(update={"ceiling": oracle})}
        missed = missing(hedging_null, null) if isinstance(null, str) else self._value(hedging_null, null)
        return found | {hedging_null.name: missed}

    def table(self, own: KindLatents) -> pd.DataFrame:
        """One row a kind that has a latent: how much this leans to members, if it has any, and to the kind itself."""
        kinds = self.kind_directions[own.kinds]
        return pd.DataFrame(
            {
                "concept": [self._rows.concepts[kind] for kind in own.kinds],
                "hedging": self._each(own.rows, own.kinds),
                "hedging_of_direction": self._each(kinds, own.kinds),
                "cosine_with_kind": np.einsum("kd,kd->k", own.rows, kinds),
            }
        )

    @cached_property
    def members(self) -> Members:
        """Of the scored words."""
        scored, rows = self._rows.uses.scored, self._rows
        return member_directions(self._targets[scored], rows.word[scored], rows.concept[scored])

    @cached_property
    def kind_directions(self) -> FloatArray:
        """Unit mean of each kind's train words less that of all others' ``[kinds, width]``."""
        train = self._rows.uses.train
        x, labels = self._targets[train], self._rows.labels[train].astype(np.float64)
        own = labels.T @ x / labels.sum(axis=0)[:, None]
        other = (1 - labels).T @ x / (1 - labels).sum(axis=0)[:, None]
        return unit(own - other)

    @cached_property
    def _targets(self) -> FloatArray:
        return self._activations.targets

    def _each(self, rows: FloatArray, kinds: np.ndarray) -> FloatArray:
        """``hedging`` of each kind by itself; NaN, which tables hold as null, where too few members are scored."""
        count = (self.members.kinds == kinds[:, None]).sum(axis=1)
        found = np.full(len(kinds), np.nan)
        found[(count > 0) & (2 * count <= len(self.members.kinds))] = hedging(rows, kinds, self.members).top
        return found

    def _value(self, declared: Metric[..., Terms], latents: KindLatents) -> MetricValue:
        return metric_value(declared, declared(latents.rows, latents.kinds, self.members), self._resampling)
