"""What a page shows of a dictionary's latents: numbers, texts on which each is most active, and its logit effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class Token:
    """One token of a text.

    Attributes:
        text: As it reads there; from a corpus or a tokenizer, which may say anything.
        value: The latent's activation; None where the token is not evaluated (BOS and other special tokens).
    """

    text: str
    value: float | None


@dataclass(frozen=True)
class Snippet:
    """A text around the token on which a latent is most active in its context.

    Attributes:
        tokens: In order.
        peak: Which of them is that token.
        context: Number of the context in the evaluated text.
    """

    tokens: tuple[Token, ...]
    peak: int
    context: int


@dataclass(frozen=True)
class Effect:
    """What a latent does to the logit of a token.

    Attributes:
        text: The token.
        value: Logits for each unit of activation, before the final norm divides, less the mean of all tokens.
    """

    text: str
    value: float


@dataclass(frozen=True)
class Card:
    """One latent.

    Attributes:
        latent: Its number.
        chosen: Why it is shown: ``most active`` or ``random``.
        density: Share of tokens on which it is not 0.
        mean: Mean of it over these tokens; 0 for a dead one.
        largest: Its largest activation; 0 for a dead one.
        snippets: Where it is most active, each from a context of its own, most active first.
        raised: Tokens whose logits it raises most; empty where it does not write to the residual stream.
        lowered: Tokens whose logits it lowers most, likewise.
    """

    latent: int
    chosen: str
    density: float
    mean: float
    largest: float
    snippets: tuple[Snippet, ...]
    raised: tuple[Effect, ...] = ()
    lowered: tuple[Effect, ...] = ()


@dataclass(frozen=True, eq=False)
class Deck:
    """Cards of a dictionary.

    Attributes:
        cards: In the order in which they are shown.
        density: Of all its latents ``[latents]``.
        tokens: Evaluated tokens.
        l0: Mean number of active latents.
        facts: What else is known of dictionary, model and text, by name.
        notes: What to read before looking.
    """

    cards: tuple[Card, ...]
    density: NDArray[Any]
    tokens: int
    l0: float
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def dead(self) -> float:
        """Share of latents that are never active."""
        return float((self.density == 0).mean())
