"""Windows of a text: which of them a latent is explained from, and on which the explanation is tried."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mibench.tasks.corpora.blocks import TokenBlocks
from mibench.tasks.sae.autointerp import Windows
from mibench.tracks.sae.autointerp_prompts import CLOSE, OPEN, Excerpt
from mibench.tracks.sae.judges.judge import storable
from mibench.tracks.sae.text_halves import Halves

Decode = Callable[[Sequence[int]], str]
Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Choice:
    """Windows for one latent.

    Attributes:
        explain: Of the fitted half, the strongest first.
        detect: Of the held-out half, shuffled; empty where there are too few.
        why: Why there are too few; empty: there are enough.
        peaks: Largest size of the latent's activation in every window of the text.
    """

    explain: Places
    detect: Places
    why: str
    peaks: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TextWindows:
    """Contexts cut into equal parts; window ``w`` is part ``w % per`` of context ``w // per``.

    Attributes:
        blocks: The text.
        halves: Its halves.
        settings: How many tokens a window has, and how many windows are used for what.
        decode: From ids to text.
    """

    blocks: TokenBlocks
    halves: Halves
    settings: Windows
    decode: Decode

    @cached_property
    def bounds(self) -> Places:
        """First positions of the parts of a context, and the end of the last one, ``[per + 1]``."""
        first = int(self.blocks.bos)
        per = max(1, round((self.blocks.context - first) / self.settings.width))
        return np.linspace(first, self.blocks.context, per + 1).astype(np.int64)

    @property
    def per(self) -> int:
        """Windows of a context."""
        return len(self.bounds) - 1

    @cached_property
    def of_token(self) -> Places:
        """Window of each scored token, ``[tokens]``."""
        context, position = self.blocks.scored.nonzero()
        part = np.searchsorted(self.bounds, position, side="right") - 1
        return context * self.per + np.maximum(part, 0)

    @cached_property
    def _usable(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which windows of each half have scored tokens, ``[windows]`` each."""
        filled = np.bincount(self.of_token, minlength=len(self.blocks) * self.per) > 0
        found = []
        for half in (self.halves.fit, self.halves.held):
            inside = np.zeros(len(filled), np.bool_)
            inside[half.start * self.per : half.stop * self.per] = True
            found.append(inside & filled)
        return found[0], found[1]

    def choose(self, tokens: Places, values: NDArray[np.float64], generator: np.random.Generator) -> Choice:
        """Choose windows for a latent.

        Args:
            tokens: Scored tokens where it is active.
            values: Its activations there.
            generator: Draws.
        """
        fit, held = self._usable
        peaks = np.zeros(len(fit))
        np.maximum.at(peaks, self.of_token[tokens], np.abs(values))
        explain = self._explaining(np.flatnonzero(fit & (peaks > 0)), peaks, generator)
        active, inactive = (np.flatnonzero(held & one) for one in (peaks > 0, peaks == 0))
        wanted = self.settings
        for kind, there, least in (("active", active, wanted.active), ("inactive", inactive, wanted.inactive)):
            if len(there) < least:
                why = f"it is {kind} in {len(there)} held-out windows, and {least} are wanted"
                return Choice(explain, active[:0], why, peaks)
        ranked = active[np.argsort(peaks[active], kind="stable")]
        quantiles = np.array_split(ranked, wanted.active)
        drawn = [int(generator.choice(one)) for one in quantiles]
        others = generator.choice(inactive, wanted.inactive, replace=False)
        return Choice(explain, generator.permutation(np.concatenate([drawn, others]).astype(np.int64)), "", peaks)

    def _explaining(self, active: Places, peaks: NDArray[np.float64], generator: np.random.Generator) -> Places:
        ranked = active[np.argsort(-peaks[active], kind="stable")]
        top, rest = ranked[: self.settings.top], ranked[self.settings.top :]
        weights = peaks[rest] ** 2
        n = min(self.settings.drawn, int((weights > 0).sum()))
        drawn = generator.choice(rest, n, replace=False, p=weights / weights.sum()) if n else rest[:0]
        both = np.concatenate([top, drawn])
        return both[np.argsort(-peaks[both], kind="stable")]

    def span(self, window: int) -> tuple[int, int, int]:
        """Context of a window, its first position and the one behind its last."""
        context, part = divmod(int(window), self.per)
        return context, int(self.bounds[part]), int(self.bounds[part + 1])

    def text(self, window: int) -> str:
        """Text of a window, special tokens left out."""
        context, start, stop = self.span(window)
        kept = self.blocks.scored[context, start:stop]
        return storable(self.decode(self.blocks.ids[context, start:stop][kept].tolist()))

    def marked(self, window: int, choice: Choice, active: NDArray[np.bool_]) -> Excerpt:
        """The same with marks around runs of active tokens.

        Args:
            window: Window.
            choice: What it was chosen with.
            active: Whether the latent is active at each scored token, ``[tokens]``.
        """
        places = np.flatnonzero(self.of_token == window)
        context, start, stop = self.span(window)
        ids = self.blocks.ids[context, start:stop][self.blocks.scored[context, start:stop]]
        marks = active[places]
        runs = np.flatnonzero(np.diff(marks, prepend=marks[:1])).tolist()
        parts = []
        for first, last in zip([0, *runs], [*runs, len(ids)], strict=True):
            text = self.decode(ids[first:last].tolist())
            parts.append(f"{OPEN}{text}{CLOSE}" if marks[first] else text)
        return Excerpt(storable("".join(parts)), float(choice.peaks[window] / choice.peaks[choice.explain].max()))
