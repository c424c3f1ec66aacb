"""What a record says of a sparse dictionary: where it works, on which text, and what it is."""

from __future__ import annotations

from mibench.core.specs import DictionaryRef
from mibench.records.record import DictionaryFacts

_GENERATED = "generated"


def place_line(where: DictionaryRef | None) -> str:
    """Return hook point and text of a cell; empty where there is no dictionary."""
    if where is None:
        return ""
    if where.hook == _GENERATED:
        return "generated activations"
    output = "" if where.output is None else f" to {where.output}"
    return f"{where.hook}{output}, {where.corpus}, contexts of {where.context} tokens"


def facts_line(facts: DictionaryFacts | None) -> str:
    """Return what a scored dictionary is, how it was trained as far as that is known, and its digest."""
    if facts is None:
        return ""
    kind = {"plain": " transcoder", "skip": " transcoder with a skip"}.get(facts.transcoder or "", "")
    tokens = "an unknown number of tokens" if facts.train_tokens is None else f"{facts.train_tokens:,} tokens"
    parts = [
        f"{facts.architecture}{kind}",
        f"{facts.d_sae} latents of {facts.d_in} entries",
        f"trained on {tokens} of {facts.train_corpus or 'an unknown text'}",
        "" if facts.seed is None else f"seed {facts.seed}",
        f"digest {facts.sha256[:12]}",
    ]
    return ", ".join(part for part in parts if part)
