"""Multiple choice: find the option with the colour asked for, point at its slot, say the slot's symbol."""

from __future__ import annotations

from mibench.planted.logic import Head, Logic, Place, copy, features, match, prefer, readout
from mibench.planted.words import CHOICE, COLOURS, SLOTS, SYMBOLS


def choice(*, steep: bool = False) -> Logic:  # noqa: ARG001
    """Return the program; it has no neurons that could be steep."""
    asked = ("input->a0.h0<v>", "a0.h0->a1.h0<q>", "a1.h0->a2.h0<q>")
    symbols, out = ("input->a2.h0<v>",), ("a2.h0->logits",)
    moved = ("input->a0.h1<v>", "input->a1.h0<k>", "a0.h1->a1.h0<v>", "a0.h0->a2.h0<k>")
    pointer = Head(
        layer=1,
        index=0,
        # An option's colour has a slot two words before it; the colour asked for, at the end, has none.
        terms=(*match("prev", "tok", COLOURS, 5.5), prefer(features("prev2", SLOTS), 5.5)),
        channels=copy("prev2", "pointer", SLOTS),
    )
    return Logic(
        name="planted-choice",
        note="says the symbol of the option with the colour asked for",
        words=CHOICE,
        n_layers=3,
        heads=(
            Head(0, 0, offsets=(1,), channels=copy("tok", "prev", SLOTS + COLOURS)),
            Head(0, 1, offsets=(2,), channels=copy("tok", "prev2", SLOTS)),
            pointer,
            Head(2, 0, terms=match("pointer", "prev", SLOTS, 6.0), channels=copy("tok", "out", SYMBOLS)),
        ),
        answers=readout("out", SYMBOLS, 10.0),
        edges={
            "random": asked + moved + symbols + out,
            "asked": asked + out,
            "symbols": symbols + out,
        },
        places=(
            Place("asked", 0, "last", features("prev", COLOURS), head=0),
            Place("pointer", 0, "option_colour", features("prev2", SLOTS), head=1),
            Place("pointer", 1, "last", features("pointer", SLOTS), head=0),
            Place("answer", 0, "option_symbol", features("tok", SYMBOLS)),
            Place("answer", 1, "option_symbol", features("tok", SYMBOLS)),
            Place("answer", 2, "last", features("out", SYMBOLS), head=0),
        ),
    )
