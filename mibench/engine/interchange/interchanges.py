"""Interchange interventions on a list of rows: what they do to the answers, and gradients through them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import torch
from torch import Tensor

from mibench.core.sites import Site
from mibench.engine.interchange.answers import Prompt, label_of, logits_of, prompt_of
from mibench.engine.interchange.batches import Shares, by_length
from mibench.engine.interchange.edits import Editor, Stack
from mibench.engine.interchange.judge import Judge
from mibench.engine.interchange.options import InterchangeOptions, Intervention
from mibench.engine.interchange.outputs import Outputs
from mibench.engine.interchange.plans import Plan, plan_of
from mibench.engine.interchange.sources import Activations
from mibench.engine.interchange.stacks import Stacker
from mibench.engine.interchange.suffix import Suffix
from mibench.engine.interchange.tape import KeysValues
from mibench.engine.interchange.tapes import Tapes
from mibench.engine.interchange.tokens import Tokens, tokens_of
from mibench.engine.meter import NoCounter, PassCounter, Progress, no_progress
from mibench.engine.model import LanguageModel
from mibench.tasks.interchange import EncodedInterchange

DEFAULTS = InterchangeOptions()


class Interchanges:
    """Interchange interventions on rows.

    Every base prompt is run once and every source prompt once; an intervention then costs the layers after it at the
    tokens from its first one on.

    Args:
        model: The model.
        rows: Bases, sources and labels.
        options: How interventions are run and judged.
        counter: Counts passes of one example; parts of passes count as such.
        progress: Told of rows times interventions.
    """

    def __init__(
        self,
        model: LanguageModel,
        rows: Sequence[EncodedInterchange],
        options: InterchangeOptions = DEFAULTS,
        counter: PassCounter | None = None,
        progress: Progress = no_progress,
    ) -> None:
        self._model, self._rows, self._options, self._progress = model, rows, options, progress
        self._shares = Shares(counter or NoCounter())
        self._tokens = cache(lambda position: tokens_of(rows, position))
        self._prompts = [prompt_of(place, row, label_of(row)) for place, row in enumerate(rows)]
        self._sources = Activations(model, [row.source for row in rows], self._source_tokens, options, self._shares)
        self._bases = Activations(model, [row.base for row in rows], self._base_tokens, options, self._shares)
        self._suffix = Suffix(model, Editor(model, self._base_tokens, self._sources))
        self._tapes = Tapes(model, self._prompts, options, self._shares)

    def sources(self, sites: Sequence[Site]) -> dict[Site, Tensor]:
        """Activations of the source prompts, ``[rows, n_pos, width]`` a site; one pass for all, kept.

        Raises:
            DataError: A position has more tokens in some rows than in others.
        """
        self._sources.need(sites)
        return {site: self._sources.stacked(site) for site in sites}

    def bases(self, sites: Sequence[Site]) -> dict[Site, Tensor]:
        """The same of the base prompts."""
        self._bases.need(sites)
        return {site: self._bases.stacked(site) for site in sites}

    def plain(self) -> Outputs:
        """The answers without intervention, judged as if there had been one: the no-op floor; one intervention."""
        return self.run([()])

    def run(self, interventions: Sequence[Intervention]) -> Outputs:
        """The answers under each intervention; nothing keeps a graph."""
        plans = [plan_of(self._model, one) for one in interventions]
        judge = Judge(self._model, self._rows, self._options, len(plans))
        with torch.no_grad():
            self._sources.need([edit.site for one in interventions for edit in one])
            done, total = 0, len(plans) * len(self._rows)
            for batch in self._batches():
                self._run_batch(batch, plans, judge)
                done += len(batch) * len(plans)
                self._progress(done, total)
        return judge.outputs

    def keep(self) -> None:
        """Run all bases now and keep what they did, for training or many calls of ``run``; see ``cache_bytes``."""
        self._tapes.keep()

    def minibatches(self, size: int, generator: torch.Generator) -> Iterator[MiniBatch]:
        """Yield all rows once, in random order, ``size`` at a time; the base runs are kept.

        Args:
            size: Rows a batch; the last may be smaller.
            generator: Gives the order.
        """
        self.keep()
        order = torch.randperm(len(self._rows), generator=generator, device=generator.device).tolist()
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            lengths = [len(label_of(self._rows[row])) for row in rows]
            yield MiniBatch(rows, torch.tensor(lengths, device=self._model.device), self)

    def logits(self, rows: Sequence[int], intervention: Intervention) -> Tensor:
        """Logits of labels' tokens, ``[rows, longest label, vocab]``, in the model's type; see ``MiniBatch``."""
        plan = plan_of(self._model, intervention)
        self._sources.need([edit.site for edit in intervention])
        tape, places = self._tapes.of(rows, {plan.join})
        ((_, stack),) = self._stacker().stacks(tape, places, [self._prompts[row] for row in rows], [plan])
        self._count(stack, backward=torch.is_grad_enabled())
        return logits_of(self._model, self._suffix.run(stack)[:, 0])

    def _batches(self) -> list[list[int]]:
        generating = self._options.new_tokens is not None
        lengths = [prompt.length if generating else len(prompt.ids) for prompt in self._prompts]
        return by_length(lengths, self._options, equal=generating)

    def _run_batch(self, batch: list[int], plans: list[Plan], judge: Judge) -> None:
        generated = self._options.new_tokens or 0
        prompts = [self._prompts[row] for row in batch]
        tape, places = self._tapes.of(batch, None if generated else {plan.join for plan in plans})
        for chosen, stack in self._stacker(generated).stacks(tape, places, prompts, plans):
            kept: list[KeysValues] | None = [] if generated else None
            self._count(stack, generated)
            judge.take(chosen, prompts, self._suffix.run(stack, kept), kept)
        for prompt, begun in [one for row in batch for one in judge.open(row)]:
            self._run_other(prompt, begun, plans, judge)

    def _run_other(self, prompt: Prompt, begun: list[int], plans: list[Plan], judge: Judge) -> None:
        """Try another answer of a row under the interventions whose answers begin like it."""
        tried = [plans[place] for place in begun]
        tape = self._tapes.record([prompt], {plan.join for plan in tried})
        place = torch.zeros(1, dtype=torch.long, device=self._model.device)
        for chosen, stack in self._stacker().stacks(tape, place, [prompt], tried):
            self._count(stack)
            judge.take_other([begun[place] for place in chosen], prompt, self._suffix.run(stack))

    def _stacker(self, generated: int = 0) -> Stacker:
        return Stacker(self._base_tokens, self._options.batch_tokens, generated)

    def _base_tokens(self, position: str) -> Tokens:
        return self._tokens(position)[0]

    def _source_tokens(self, position: str) -> Tokens:
        return self._tokens(position)[1]

    def _count(self, stack: Stack, generated: int = 0, *, backward: bool = False) -> None:
        """Count a stack as the part of the layers and tokens that it computes."""
        n_layers, lengths = self._model.anatomy.n_layers, stack.tape.lengths[stack.rows]
        layers = sum(n_layers - plan.join for plan in stack.plans) / n_layers
        tokens = layers * stack.size + len(stack.plans) * max(0, generated - 1)
        share = float((tokens / lengths).sum())
        self._shares.forward(share)
        if backward:
            self._shares.backward(share)


@dataclass(frozen=True)
class MiniBatch:
    """Some rows to train on.

    Attributes:
        rows: Which, in the list of all.
        lengths: Tokens of their labels, ``[rows]``.
    """

    rows: list[int]
    lengths: Tensor
    _all: Interchanges = field(repr=False)

    def logits(self, intervention: Intervention) -> Tensor:
        """Logits from which greedy decoding would take each token of the label, ``[rows, longest label, vocab]``.

        Those beyond a row's own label repeat its last. Gradients flow through the edits; the model is frozen, and
        nothing before the first edit is in the graph.
        """
        return self._all.logits(self.rows, intervention)


def base_plain(
    model: LanguageModel,
    rows: Sequence[EncodedInterchange],
    options: InterchangeOptions = DEFAULTS,
    counter: PassCounter | None = None,
) -> np.ndarray:
    """Is the model by itself right about each base prompt? bool ``[rows]``."""
    asked = [replace(row, accepted=row.base_accepted, expected=row.base_expected, target=None) for row in rows]
    found: np.ndarray = Interchanges(model, asked, options, counter).plain().correct[0]
    return found


def source_plain(
    model: LanguageModel,
    rows: Sequence[EncodedInterchange],
    options: InterchangeOptions = DEFAULTS,
    counter: PassCounter | None = None,
) -> np.ndarray:
    """Is the model by itself right about each source prompt? bool ``[rows]``; True where no answer is asked for."""
    places = [place for place, row in enumerate(rows) if row.source_accepted]
    asked = [
        replace(row, base=row.source, base_accepted=row.source_accepted, base_expected=row.source_expected)
        for row in (rows[place] for place in places)
    ]
    found = np.ones(len(rows), dtype=bool)
    found[places] = base_plain(model, asked, options, counter)
    return found
