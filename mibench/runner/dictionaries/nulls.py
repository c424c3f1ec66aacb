"""Dictionaries with a decoder that was never trained: what is compared with, as wide and about as sparse."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mibench.artifacts.dictionaries.dictionary import Dictionary, Place, TrainingFacts
from mibench.core.errors import DataError, MethodError, MibenchError, UsageError
from mibench.core.hashing import digest
from mibench.core.specs import MethodRef
from mibench.engine.activations.source import ActivationSource
from mibench.engine.dictionaries.coder import Coder
from mibench.methods.dictionary_view import DictionaryView
from mibench.methods.method import Method
from mibench.runner.dictionaries.make import Recipe, make_dictionary
from mibench.runner.sources import find_method
from mibench.tracks.sae.evaluation import NO_TEXT

if TYPE_CHECKING:
    from mibench.runner.cells.workbench import Workbench

FROZEN = "frozen-decoder"
NULL_TOKENS = 100_000
"""Activations that a null dictionary's encoder is trained on, at most."""
BATCH = 512
"""Activations a step: few, so that so short a text gives some 200 steps."""
SPARSEST, DENSEST = 2, 512
"""Fewest and most active latents of a null; between them it is a power of two."""


class FrozenNulls:
    """Trains null dictionaries when they are asked for, and keeps them.

    Their number of active latents is the power of two next to that of the dictionary, so that a sweep shares a few.

    Args:
        bench: The model.
        place: Where they read and write.
        source: Gives the activations that encoders are trained on.
    """

    def __init__(self, bench: Workbench, place: Place, source: Callable[[], ActivationSource]) -> None:
        self._bench, self._place, self._open = bench, place, source

    @cached_property
    def digest(self) -> str:
        """sha256 of the text that encoders are trained on and of how; ``NO_TEXT`` where there is too little text.

        The text is tokenized for it, and no model is run.
        """
        if isinstance(self._source, str):
            return NO_TEXT
        reference = self._reference(1, 1)
        params = {name: value for name, value in reference.params.items() if name not in {"width", "k"}}
        method = (reference.name, reference.version, params, reference.seed)
        return digest([self._source.digest, method, NULL_TOKENS, "power of two", SPARSEST, DENSEST])

    def frozen(self, d_sae: int, l0: float) -> Coder | str:
        """A null of this width and about this many active latents, or why there is none."""
        if d_sae < 1 or not l0 > 0:
            return f"there is no frozen decoder of {d_sae} latents with {l0:.3g} active per token"
        if isinstance(self._source, str):
            return self._source
        k = min(d_sae, max(SPARSEST, min(DENSEST, 2 ** round(math.log2(l0)))))
        try:
            made = self._made(self._reference(d_sae, k), self._source)
        except (UsageError, DataError, MethodError) as error:
            return _reason(error)
        return Coder(made, device=self._bench.model.device, dtype=self._bench.model.accumulate)

    @cached_property
    def _source(self) -> ActivationSource | str:
        """What encoders are trained on, or why there is nothing; asked for once, so that digest and nulls agree."""
        try:
            found = self._open()
        except (UsageError, DataError, MethodError) as error:
            return _reason(error)
        if found.n_tokens < BATCH:
            return f"there is no frozen decoder: a step takes {BATCH} tokens, the training text has {found.n_tokens}"
        return found

    def _reference(self, width: int, k: int) -> MethodRef:
        params: dict[str, Any] = self._method.parameters({"width": width, "k": k, "batch": BATCH})
        return MethodRef(name=self._method.name, version=self._method.version, params=params, seed=0)

    @property
    def _method(self) -> Method:
        return find_method(FROZEN)

    def _made(self, reference: MethodRef, source: ActivationSource) -> Dictionary:
        own, facts, method = self._bench.dictionaries, TrainingFacts(), self._method
        recipe = Recipe(reference, self._place, self._bench.model_ref, source, facts)
        device = self._bench.model.device
        view = DictionaryView(self._place, source, facts, 0, device, counter=own.relay, progress=own.relay)
        return make_dictionary(recipe, lambda seen: method.function(seen, **reference.params), view, own, again=False)


def _reason(error: MibenchError) -> str:
    return f"there is no frozen decoder: {error.what} {error.why}"
