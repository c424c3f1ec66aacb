"""Induction: a head that knows the previous letter, and one that looks for the query among previous letters."""

from __future__ import annotations

from mibench.planted.logic import Head, Logic, Place, copy, features, match, readout
from mibench.planted.words import INDUCTION, LETTERS


def induction(*, steep: bool = False) -> Logic:  # noqa: ARG001
    """Return the program; it has no neurons that could be steep."""
    into_keys = ("input->a0.h0<v>", "a0.h0->a1.h0<k>")
    query, value, out = ("input->a1.h0<q>",), ("input->a1.h0<v>",), ("a1.h0->logits",)
    return Logic(
        name="planted-induction",
        note="repeats what followed the last letter when it was said before",
        words=INDUCTION,
        n_layers=2,
        heads=(
            Head(0, 0, offsets=(1,), channels=copy("tok", "prev", LETTERS)),
            Head(1, 0, terms=match("tok", "prev", LETTERS, 5.5), channels=copy("tok", "out", LETTERS)),
        ),
        answers=readout("out", LETTERS, 10.0),
        edges={
            "random": into_keys + query + value + out,
            "query": query + out,
            "successor": value + out,
        },
        places=(
            Place("query", 0, "last", features("tok", LETTERS)),
            Place("answer", 0, "after_match", features("tok", LETTERS)),
            Place("answer", 1, "last", features("out", LETTERS), head=0),
        ),
    )
