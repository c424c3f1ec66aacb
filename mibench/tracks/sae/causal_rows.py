"""Rows of the causal family: those that the model solves, labelled for each variable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from mibench.core.errors import DataError, UsageError
from mibench.core.hashing import digest
from mibench.core.hook_points import HookKind, HookPoint
from mibench.core.sites import Component, Site
from mibench.engine.interchange.options import InterchangeOptions
from mibench.tasks.encode import OffsetEncoder
from mibench.tasks.interchange import EncodedInterchange
from mibench.tasks.sae.causal import CausalTask
from mibench.tasks.variable_task import VariableTask, load_variable_task
from mibench.tracks.interchange_rows import solved
from mibench.tracks.sae.evaluation import Ground, Network

Rows = tuple[EncodedInterchange, ...]

ROWS_A_BATCH = 64
CACHE_BYTES = 1 << 30
"""Up to so much memory, the base runs of one variable and split are kept for all dictionaries."""

_COMPONENTS = {
    HookKind.RESIDUAL_PRE: Component.RESIDUAL_PRE,
    HookKind.RESIDUAL_POST: Component.RESIDUAL_POST,
}


@dataclass(frozen=True)
class Labelled:
    """Rows of all splits, labelled for one variable; the same prompts for every variable.

    Attributes:
        variable: The variable.
        train: Rows that latents are chosen on.
        tuning: Rows that their number is chosen on.
        scored: Rows of the evaluated split.
    """

    variable: str
    train: Rows
    tuning: Rows
    scored: Rows


@dataclass(frozen=True)
class Prepared:
    """All rows, and which were left out.

    Attributes:
        variables: By variable.
        attrition: ``split``, ``set``, ``reason``, ``rows``; ``kept`` is a reason too.
    """

    variables: tuple[Labelled, ...]
    attrition: pd.DataFrame


def site_of(hook: HookPoint, position: str) -> Site:
    """The site of a hook point.

    Raises:
        DataError: It is not in the residual stream.
    """
    if hook.kind not in _COMPONENTS:
        raise DataError(
            f"Latents at {hook.name} cannot be swapped.",
            why="Interchanges are made in the residual stream, before or after a block.",
            do="Use a dictionary of residual-pre or residual-post, or leave this task out.",
        )
    return Site(hook.layer, position, _COMPONENTS[hook.kind])


def options_of(ground: Ground) -> InterchangeOptions:
    """How interchanges are run."""
    return InterchangeOptions(
        batch_size=ROWS_A_BATCH,
        batch_tokens=ground.batch_tokens,
        cache_bytes=CACHE_BYTES,
        keep_layers=(ground.place.hook.layer,),
    )


class RowSource:
    """Reads the rows of a task.

    Args:
        settings: Which.
        ground: Which split is evaluated, on how many rows, with which model.
        network: The model.
        encoder: Its tokenizer.

    Raises:
        UsageError: The task, or a variable or position of it, is unknown; or the split cannot be scored.
        DataError: Its answers are not judged as tokens.
    """

    def __init__(self, settings: CausalTask, ground: Ground, network: Network, encoder: OffsetEncoder) -> None:
        self._settings, self._ground, self._network, self._encoder = settings, ground, network, encoder
        self.task = _checked(load_variable_task(settings.task), settings)
        self.position = self.task.position(settings.position).name
        if ground.split not in {"validation", "test"}:
            why = "Latents are chosen on train."
            raise UsageError(f"'{ground.split}' cannot be scored.", why=why, do="Use validation or test.")

    @property
    def splits(self) -> tuple[tuple[str, int | None], ...]:
        """Splits to choose latents on, to choose their number on, and to score, with rows of each set.

        Where validation is scored, the number is chosen on train: what is scored is looked at once.
        """
        settings, split = self._settings, self._ground.split
        train = ("train", settings.train_rows)
        tuning = ("validation", settings.tuning_rows) if split == "test" else train
        return train, tuning, (split, self._ground.limit)

    @property
    def digest(self) -> str:
        """sha256 of all rows."""
        return digest([[split, limit, self.task.digest(split, limit)] for split, limit in self.splits])

    def prepare(self) -> Prepared:
        """Label the rows for every variable, and keep those that the model solves.

        Raises:
            DataError: None is left.
        """
        kept, tables = {}, []
        for split, limit in dict.fromkeys(self.splits):
            by_variable, table = self._solved(split, limit)
            kept[split, limit] = by_variable
            tables.append(table.assign(split=split))
        names = self._settings.variables
        return Prepared(
            tuple(Labelled(name, *(kept[one][place] for one in self.splits)) for place, name in enumerate(names)),
            pd.concat(tables, ignore_index=True)[["split", "set", "reason", "rows"]],
        )

    def _solved(self, split: str, limit: int | None) -> tuple[list[Rows], pd.DataFrame]:
        """Rows of a split by variable; prompts are the same for all, so the model is asked once."""
        network = self._network
        vocab = int(network.model.hf.get_input_embeddings().weight.shape[0])
        found = [
            self.task.encoded(split, limit, variable, self._encoder, vocab, positions=(self.position,))
            for variable in self._settings.variables
        ]
        first = solved(network.model, found[0].rows, options_of(self._ground), found[0].left_out)
        everywhere = set.intersection(*({_key(row) for row in one.rows} for one in found))
        right = {_key(row) for row in first.rows} & everywhere
        return [tuple(row for row in one.rows if _key(row) in right) for one in found], first.attrition


def _key(row: EncodedInterchange) -> tuple[str, str]:
    return row.set, row.id


def _checked(task: VariableTask, settings: CausalTask) -> VariableTask:
    for variable in settings.variables:
        task.parts_of(variable)
    if task.parts.linear is not None or task.parts.checker.new_tokens is not None:
        raise DataError(
            f"The rows of '{task.name}' cannot be used to swap latents.",
            why="Its answers are not judged as tokens after the prompt.",
            do="Use a task with such answers: ravel.",
        )
    return task


def clusters_of(rows: Sequence[EncodedInterchange], name: str) -> list[str]:
    """What each row shares with those that are resampled with it; a row that does not say is by itself."""
    return [row.group.get(name, f"row {row.id}") for row in rows]
