"""Edits carried out in a stack of intervened runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mibench.core.errors import MethodError
from mibench.engine.interchange.plans import Event, Plan
from mibench.engine.interchange.reading import Place, Stage
from mibench.engine.interchange.sources import Activations
from mibench.engine.interchange.tape import Tape
from mibench.engine.interchange.tokens import Tokens
from mibench.engine.model import LanguageModel


@dataclass(frozen=True)
class Stack:
    """Interventions on some rows that are run together.

    Attributes:
        tape: The plain runs.
        rows: The rows in the tape, ``[rows]``.
        ids: The rows in the list of all.
        plans: The interventions, in order of the layer where they join.
        starts: First token of each row that is computed, ``[rows]``.
        size: Tokens of each row that are computed.
        answers: Tokens whose logits are wanted, ``[rows, answers]``.
        late: Some plan edits after the last attention.
    """

    tape: Tape
    rows: Tensor
    ids: list[int]
    plans: tuple[Plan, ...]
    starts: Tensor
    size: int
    answers: Tensor
    late: bool

    @property
    def window(self) -> Tensor:
        """Tokens that are computed, ``[rows, size]``."""
        return self.starts[:, None] + torch.arange(self.size, device=self.starts.device)

    @property
    def wanted(self) -> Tensor:
        """Where the answers stand in the windows, ``[rows, answers]``."""
        return self.answers - self.starts[:, None]


class Editor:
    """Puts what edits give in the place of what a run has.

    Args:
        model: The model.
        tokens: From the name of a position, its tokens in the base prompts.
        sources: Activations of the source prompts.
    """

    def __init__(self, model: LanguageModel, tokens: Callable[[str], Tokens], sources: Activations) -> None:
        self._model, self._tokens, self._sources = model, tokens, sources

    def apply(self, value: Tensor, stack: Stack, place: Place) -> Tensor:
        """Make the edits of a place.

        Args:
            value: What the runs have there, ``[rows, plans that have joined, size, width]``.
            stack: The runs.
            place: Which.

        Returns:
            The same with edits. Without autograd ``value`` itself is changed.
        """
        for slot, plan in enumerate(stack.plans[: value.shape[1]]):
            for event in plan.events:
                if event.place == place:
                    value = self._edit(value, stack, slot, event)
        return value

    def _edit(self, value: Tensor, stack: Stack, slot: int, event: Event) -> Tensor:
        tokens = self._tokens(event.site.position)
        for group in tokens.groups(stack.ids):
            rows = [stack.ids[place] for place in group]
            batch = torch.tensor(group, device=value.device)[:, None]
            starts = stack.starts.to(value.device)
            index = (batch, slot, tokens.indices(rows).to(value.device) - starts[batch])
            value = self._put(value, index, event, self._sources.at(event.site, rows))
        return value

    def _put(self, value: Tensor, index: tuple[Tensor, int, Tensor], event: Event, source: Tensor) -> Tensor:
        shape, at = value.shape, (*index, event.site.head) if event.place.stage is Stage.HEADS else index
        if event.place.stage is Stage.HEADS:
            value = value.view(*shape[:-1], self._model.anatomy.n_heads, -1)
        base = value[at]
        made = event.edit(base.to(source), source)
        if made.shape != base.shape:
            raise MethodError(
                f"The edit at {event.site.name} gave shape {list(made.shape)}.",
                why=f"It was given {list(base.shape)}.",
                do="Return as many rows, tokens and dimensions as there were.",
            )
        # Autograd still needs the old value; without it there is no use for a copy.
        indices = tuple(torch.as_tensor(part, device=value.device) for part in at)
        put = value.index_put if torch.is_grad_enabled() else value.index_put_
        return put(indices, made.to(base)).view(shape)
