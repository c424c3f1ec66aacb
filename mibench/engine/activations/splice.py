"""What a model loses when activations at a hook point are replaced: one clean run, then only the rest of the model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import torch
from torch import Tensor

from mibench.core.hook_points import HookPoint
from mibench.engine.activations.capture import Found, recording
from mibench.engine.activations.losses import TokenLosses, token_losses
from mibench.engine.activations.tail import Tail, contexts_of, needed
from mibench.engine.attention import Context
from mibench.engine.model import LanguageModel


class Splice:
    """A batch, run once as it is, and run on from one hook point as often as wanted.

    Cost: a forward pass to make it; each replacement the layers after the hook point. Products with the vocabulary
    matrix: one for the clean run in each call of `losses_of`, and one a replacement.

    Attributes:
        ids: Token ids, ``[batch, pos]``.
        clean: Activations at the hook point, ``[batch, pos, width]``.

    Args:
        model: The model.
        ids: Token ids, ``[batch, pos]``, at least two positions, no padding.
        point: Where activations are replaced.
        reads: Further hook points whose activations are kept, see `at`.

    Raises:
        DataError: The model has no such point.
    """

    def __init__(self, model: LanguageModel, ids: Tensor, point: HookPoint, reads: Sequence[HookPoint] = ()) -> None:
        self._model, self.ids, self._found = model, ids.to(model.device), Found()
        contexts: list[Context] = []
        wanted = tuple(dict.fromkeys([point, *reads, *needed(model, point)]))
        with torch.no_grad(), recording(model, wanted, self._found), contexts_of(model, contexts):
            output = model.hf.base_model(input_ids=self.ids, use_cache=False)
        self._found = {place: value.to(model.device) for place, value in self._found.items()}
        self._final = output.last_hidden_state.to(model.device)
        self.clean = self._found[point]
        self._tail = Tail(model, point, self._found, contexts)

    def at(self, point: HookPoint) -> Tensor:
        """Clean activations ``[batch, pos, width]`` at the hook point, or at one that is also read."""
        return self._found[point]

    @property
    def nbytes(self) -> int:
        """Memory of what is kept of the clean run."""
        return sum(tensor.nbytes for tensor in (self._final, *self._found.values()))

    @cached_property
    def clean_ce(self) -> Tensor:
        """Next-token cross-entropy of the clean run in nats, ``[batch, pos − 1]``, float64."""
        return token_losses(self._model, self.ids, self._final, [])[0].ce

    def losses(self, replacement: Tensor, where: Tensor) -> TokenLosses:
        """Losses with ``replacement`` ``[batch, pos, width]`` in place of the activations where ``where`` is true.

        Args:
            replacement: What to put there, of any float type.
            where: Which activations are replaced, bool ``[batch, pos]``; the others stay as in the clean run.
        """
        return self.losses_of([replacement], where)[0]

    def losses_of(self, replacements: Iterable[Tensor], where: Tensor) -> list[TokenLosses]:
        """The same for several replacements, with the clean run's logits computed once."""
        chosen = where.to(self.clean.device)[..., None]
        with torch.no_grad():
            runs = [self._tail(torch.where(chosen, each.to(self.clean), self.clean)) for each in replacements]
        clean, *altered = token_losses(self._model, self.ids, self._final, runs)
        self.clean_ce = clean.ce
        return altered
