"""Cards of latents as one HTML page that needs nothing else; texts come from a corpus and may say anything."""

from __future__ import annotations

import base64
import hashlib
import math
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mibench.artifacts.dictionaries.latent_cards import Card, Deck, Effect, Snippet, Token

_TEMPLATES = Path(__file__).parent / "templates"
_SHOWN = {"\n": "↵\n", "\r": "␍", "\t": "⇥\t"}
_SHADES = 10
_WIDTH, _HEIGHT, _FLOOR, _DEAD, _DEAD_BAR = 620, 130, 108, 72, 26
"""Of the histogram: size, height of its floor from above, room on the left for dead latents, and their bar."""
_BIN = 0.25


@dataclass(frozen=True)
class _Bar:
    """A bar of the histogram."""

    x: float
    y: float
    width: float
    height: float
    words: str
    dead: bool = False


def cards_page(deck: Deck, title: str) -> bytes:
    """Return the page; the same deck always gives the same bytes.

    It loads nothing, and its policy lets the browser run its own script alone, so that nothing in a text can act. It
    can be read without the script, which searches and sorts.

    Args:
        deck: What is shown.
        title: Heading.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    script = (_TEMPLATES / "cards.js").read_text(encoding="utf-8")
    hashed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = environment.get_template("cards.html.jinja").render(
        title=_visible(title),
        facts=[(_visible(name), _visible(value)) for name, value in _facts(deck)],
        notes=[_visible(note) for note in deck.notes],
        chart=_chart(deck),
        cards=[_card(card) for card in deck.cards],
        script=Markup(script),  # noqa: S704  our own file
        script_digest=f"sha256-{hashed}",
    )
    return page.encode("utf-8", errors="replace")


def _facts(deck: Deck) -> list[tuple[str, str]]:
    own = [
        ("latents", f"{len(deck.density):,}"),
        ("tokens", f"{deck.tokens:,}"),
        ("L0", f"{deck.l0:.4g}"),
        ("dead on these tokens", _percent(deck.dead)),
        ("cards", f"{len(deck.cards):,}"),
    ]
    return [*deck.facts.items(), *own]


def _card(card: Card) -> dict[str, Any]:
    return {
        "latent": card.latent,
        "chosen": card.chosen,
        "density": card.density,
        "largest": card.largest,
        "mean": card.mean,
        "density_words": f"{_percent(card.density)} of tokens",
        "largest_words": _number(card.largest),
        "mean_words": _number(card.mean),
        "snippets": [_snippet(snippet, card.largest) for snippet in card.snippets],
        "raised": [_effect(effect) for effect in card.raised],
        "lowered": [_effect(effect) for effect in card.lowered],
    }


def _effect(effect: Effect) -> dict[str, str]:
    return {"text": _visible(effect.text) or "∅", "number": _number(effect.value)}


def _snippet(snippet: Snippet, largest: float) -> dict[str, Any]:
    tokens = [_token(token, largest, peak=place == snippet.peak) for place, token in enumerate(snippet.tokens)]
    return {"number": tokens[snippet.peak]["number"], "tokens": tokens}


def _token(token: Token, largest: float, *, peak: bool) -> dict[str, str]:
    """A token's text, its number, and the classes that shade it."""
    value = token.value
    if value is None:
        return {"text": _visible(token.text), "number": "not evaluated", "look": "out"}
    share = value / largest if largest > 0 else 0.0
    shade = min(_SHADES, math.ceil(_SHADES * share)) if share > 0 else 0
    look = " ".join(filter(None, (f"a{shade}" if shade else "", "peak" if peak else "")))
    return {"text": _visible(token.text), "number": _number(value), "look": look}


def _chart(deck: Deck) -> dict[str, Any]:
    """The histogram as bars and ticks in the units of its drawing."""
    n, alive = len(deck.density), deck.density[deck.density > 0]
    least = math.floor(math.log10(float(alive.min())) / _BIN + 1e-9) if len(alive) else -4
    edges = np.arange(min(least, -4), 1) * _BIN
    counts, _ = np.histogram(np.clip(np.log10(alive), edges[0], edges[-1]), bins=edges)
    dead = n - len(alive)
    most = max(int(counts.max(initial=0)), dead, 1)
    step = (_WIDTH - _DEAD - 20) / (len(edges) - 1)

    def bar(x: float, width: float, count: int, words: str, *, is_dead: bool = False) -> _Bar:
        height = round((_FLOOR - 6) * count / most, 2)
        told = f"{count:,} of {n:,} latents, {words}"
        return _Bar(round(x, 2), round(_FLOOR - height, 2), round(width, 2), height, told, is_dead)

    bars = [bar(6, _DEAD_BAR, dead, "never active", is_dead=True)] if dead else []
    for place, count in enumerate(counts.tolist()):
        if count:
            words = f"active on {_percent(10 ** float(edges[place]))} to {_percent(10 ** float(edges[place + 1]))}"
            bars.append(bar(_DEAD + place * step, step - 1, count, words))
    ticks = [{"x": 6 + _DEAD_BAR / 2, "text": "never"}]
    for power in range(math.ceil(edges[0]), 1):
        ticks.append({"x": round(_DEAD + (power - edges[0]) / _BIN * step, 2), "text": _percent(10.0**power)})
    return {"width": _WIDTH, "height": _HEIGHT, "floor": _FLOOR, "bars": bars, "ticks": ticks}


def _visible(text: str) -> str:
    """The text with a sign for each line break and tab, and for characters that steer or cannot be seen."""
    return "".join(_SHOWN.get(each) or ("�" if unicodedata.category(each)[0] == "C" else each) for each in text)


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}") if abs(value) < 1000 else f"{value:,.0f}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
