"""Dictionaries with a decoder that was never trained: what is compared with, as wide and about as sparse."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from mibench.artifacts.dictionaries.dictionary import Place, TrainingFacts
from mibench.core.specs import MethodRef
from mibench.engine.activations.source import ActivationSource
from mibench.engine.dictionaries.coder import Coder
from mibench.methods.dictionary_view import DictionaryView
from mibench.runner.dictionary_make import Recipe, make_dictionary
from mibench.runner.sources import find_method

if TYPE_CHECKING:
    from mibench.runner.workbench import Workbench

FROZEN = "frozen-decoder"
SPARSEST, DENSEST = 2, 512


class FrozenNulls:
    """Trains null dictionaries when they are asked for, and keeps them.

    Their number of active latents is the power of two next to that of the dictionary, so that a sweep shares a few.

    Args:
        bench: The model.
        place: Where they read and write.
        source: Gives the activations that encoders are trained on.
    """

    def __init__(self, bench: Workbench, place: Place, source: Callable[[], ActivationSource]) -> None:
        self._bench, self._place, self._source = bench, place, source

    def frozen(self, d_sae: int, l0: float) -> Coder | None:
        """A null of this width and about this many active latents.

        Raises:
            MibenchError: The text cannot be had.
        """
        if d_sae < 1 or not l0 > 0:
            return None
        k = min(d_sae, max(SPARSEST, min(DENSEST, 2 ** round(math.log2(l0)))))
        method = find_method(FROZEN)
        params = method.parameters({"width": d_sae, "k": k})
        reference = MethodRef(name=method.name, version=method.version, params=params, seed=0)
        source, own = self._source(), self._bench.dictionaries
        facts, device = TrainingFacts(), self._bench.model.device
        recipe = Recipe(reference, self._place, self._bench.model_ref, source, facts)
        view = DictionaryView(self._place, source, facts, 0, device, counter=own.relay, progress=own.relay)
        made = make_dictionary(recipe, lambda seen: method.function(seen, **params), view, own, again=False)
        return Coder(made, device=device, dtype=self._bench.model.accumulate)
