"""Losses of the model with reconstructions, and with ablations, in the place of activations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mibench.engine.activations.losses import TokenLosses
from mibench.engine.activations.splice import Splice
from mibench.engine.activations.tail import share
from mibench.engine.dictionaries.coder import Coder
from mibench.engine.meter import Progress
from mibench.engine.model import LanguageModel
from mibench.metrics.sae.core_tables import ABLATIONS, DOCUMENT, loss_columns
from mibench.tasks.corpora.blocks import TokenBlocks
from mibench.tracks.sae.core_sums import MAX_LATENTS
from mibench.tracks.sae.evaluation import Ground

MAX_KEPT_BYTES = 2**30
"""Memory of clean runs that are kept."""
Columns = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Replacements:
    """What ablations put in the place of activations.

    Attributes:
        mean: ``[d_out]``.
        pool: Activations to draw from, ``[pool, d_out]``.
        draws: Which of them each token gets, ``[contexts, pos]``.
    """

    mean: Tensor
    pool: Tensor
    draws: np.ndarray


class LossRuns:
    """Measures losses on some contexts; those without a dictionary once for all of them.

    Args:
        model: The model.
        ground: Where and how.
        blocks: The contexts.
        whole: Ablate every token, BOS included, and count every token whose input is scored, as SAEBench does;
            then there is zero ablation only.
    """

    def __init__(self, model: LanguageModel, ground: Ground, blocks: TokenBlocks, *, whole: bool) -> None:
        self._model, self._ground, self._blocks, self._whole = model, ground, blocks, whole
        self._shared: Columns | None = None
        self._splices: dict[int, Splice] = {}

    def __len__(self) -> int:
        """Number of contexts."""
        return len(self._blocks)

    def tables(
        self, coders: Sequence[Coder], replacements: Replacements, done: int, progress: Progress, total: int
    ) -> list[pd.DataFrame]:
        """Return the table of losses of each dictionary.

        Args:
            coders: The dictionaries.
            replacements: What ablations put in.
            done: Steps done before.
            progress: Told of each batch.
            total: Steps in all.
        """
        with_shared = self._shared is None
        own: list[list[Columns]] = [[] for _ in coders]
        shared: list[Columns] = []
        for rows in self._batches():
            splice = self._splice(rows)
            for place, columns in enumerate(self._of_coders(splice, coders, rows)):
                own[place].append(columns)
            if with_shared:
                shared.append(self._of_ablations(splice, replacements, rows))
            progress(done + rows.stop, total)
        if with_shared:
            self._shared = _joined(shared)
        return [self._table(_joined(parts)) for parts in own]

    def _batches(self) -> Iterator[slice]:
        step = max(1, self._ground.batch_tokens // self._blocks.context)
        for start in range(0, len(self._blocks), step):
            yield slice(start, min(start + step, len(self._blocks)))

    def _splice(self, rows: slice) -> Splice:
        """The clean run of some contexts, kept for the next dictionaries as far as memory allows."""
        found = self._splices.get(rows.start) or self._run(rows)
        if sum(one.nbytes for one in self._splices.values()) < MAX_KEPT_BYTES:
            self._splices[rows.start] = found
        return found

    def _run(self, rows: slice) -> Splice:
        place, model = self._ground.place, self._model
        ids = torch.from_numpy(self._blocks.ids[rows]).to(model.device, torch.long)
        self._ground.counter.forward(len(ids))
        return Splice(model, ids, place.target, [place.hook])

    def _of_coders(self, splice: Splice, coders: Sequence[Coder], rows: slice) -> list[Columns]:
        self._count(rows, len(coders))
        inputs = splice.at(self._ground.place.hook)
        found = splice.losses_of((reconstruct(coder, inputs) for coder in coders), self._scored(rows))
        return [self._sums(losses, rows) for losses in found]

    def _of_ablations(self, splice: Splice, replacements: Replacements, rows: slice) -> Columns:
        clean = splice.clean
        if self._whole:
            put, where = {"zero": torch.zeros_like(clean)}, torch.ones_like(self._scored(rows))
        else:
            draws = torch.from_numpy(replacements.draws[rows]).to(clean.device)
            mean = replacements.mean.to(clean).expand_as(clean)
            values = torch.zeros_like(clean), mean, replacements.pool[draws].to(clean)
            put, where = dict(zip(ABLATIONS, values, strict=True)), self._scored(rows)
        self._count(rows, len(put))
        found = splice.losses_of(put.values(), where)
        counted = self._counted(rows)
        columns = {"tokens": counted.sum(1).cpu().numpy(), "ce_clean": _sum(splice.clean_ce, counted)}
        for name, losses in zip(put, found, strict=True):
            columns |= {f"{key}_{name}": values for key, values in self._sums(losses, rows).items()}
        return columns

    def _sums(self, losses: TokenLosses, rows: slice) -> Columns:
        counted = self._counted(rows)
        return {"ce": _sum(losses.ce, counted), "kl": _sum(losses.kl, counted)}

    def _scored(self, rows: slice) -> Tensor:
        return torch.from_numpy(self._blocks.scored[rows]).to(self._model.device)

    def _counted(self, rows: slice) -> Tensor:
        """Which positions are averaged, bool ``[rows, pos − 1]``."""
        scored = self._scored(rows)
        return scored[:, :-1] if self._whole else scored[:, :-1] & scored[:, 1:]

    def _count(self, rows: slice, runs: int) -> None:
        self._ground.counter.forward(
            round(runs * (rows.stop - rows.start) * share(self._model, self._ground.place.target))
        )

    def _table(self, own: Columns) -> pd.DataFrame:
        columns = {DOCUMENT: self._blocks.document[:, 0]} | own | (self._shared or {})
        names = loss_columns(("zero",) if self._whole else ABLATIONS)
        return pd.DataFrame({"context": np.arange(len(self._blocks))} | {name: columns[name] for name in names})


def reconstruct(coder: Coder, inputs: Tensor) -> Tensor:
    """Reconstruction ``[batch, pos, d_out]`` of activations ``[batch, pos, d_in]``, some tokens at a time."""
    flat, size = inputs.flatten(0, -2), max(1, MAX_LATENTS // coder.d_sae)
    parts = [coder.reconstruct(flat[start : start + size]) for start in range(0, len(flat), size)]
    return torch.cat(parts).view(*inputs.shape[:-1], -1)


def _sum(values: Tensor, counted: Tensor) -> np.ndarray:
    """Sum over the counted positions of each row."""
    summed: np.ndarray = values.where(counted, 0.0).sum(1).cpu().numpy()
    return summed


def _joined(parts: list[Columns]) -> Columns:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
