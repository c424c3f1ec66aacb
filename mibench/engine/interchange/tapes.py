"""Plain runs on base prompts: kept where memory allows, else made anew."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from mibench.engine.interchange.answers import Prompt
from mibench.engine.interchange.batches import Shares, by_length
from mibench.engine.interchange.options import InterchangeOptions
from mibench.engine.interchange.tape import Tape, join, record, tape_bytes
from mibench.engine.model import LanguageModel


class Tapes:
    """Gives the plain runs of prompts.

    Args:
        model: The model.
        prompts: All of them.
        options: How many run at once, and how much is kept.
        shares: Counts passes.
    """

    def __init__(
        self, model: LanguageModel, prompts: Sequence[Prompt], options: InterchangeOptions, shares: Shares
    ) -> None:
        self._model, self._prompts, self._options, self._shares = model, prompts, options, shares
        self._kept: Tape | None = None

    def keep(self) -> None:
        """Run all prompts and keep what they did, unless it is too large."""
        options, layers = self._options, self._layers
        size = tape_bytes(self._model, sum(len(prompt.ids) for prompt in self._prompts), layers)
        if self._kept is None and size <= options.cache_bytes:
            order = by_length([len(prompt.ids) for prompt in self._prompts], options)
            tape = join([self.record([self._prompts[row] for row in rows], layers) for rows in order])
            back = torch.tensor([row for rows in order for row in rows], device=tape.starts.device).argsort()
            self._kept = Tape(
                tape.starts[back], tape.lengths[back], tape.streams, tape.keys, tape.values, tape.contexts
            )

    def of(self, rows: Sequence[int], layers: Collection[int] | None) -> tuple[Tape, Tensor]:
        """Plain runs of some prompts.

        Args:
            rows: Which.
            layers: Streams before them are needed; None: all.

        Returns:
            A tape, and where the prompts stand in it.
        """
        device = self._model.device
        needed = range(self._model.anatomy.n_layers + 1) if layers is None else layers
        if self._kept is not None and set(needed) <= self._kept.streams.keys():
            return self._kept, torch.tensor(rows, device=device)
        return self.record([self._prompts[row] for row in rows], layers), torch.arange(len(rows), device=device)

    def record(self, prompts: Sequence[Prompt], layers: Collection[int] | None) -> Tape:
        """Run prompts now."""
        self._shares.forward(len(prompts))
        return record(self._model, [prompt.ids for prompt in prompts], layers)

    @property
    def _layers(self) -> set[int] | None:
        """Streams before and after the layers of the sites."""
        chosen = self._options.keep_layers
        return None if chosen is None else {layer + after for layer in chosen for after in (0, 1)}
