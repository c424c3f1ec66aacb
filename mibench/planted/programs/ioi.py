"""Indirect object: a head that copies the name said again, and a name mover that keeps away from it."""

from __future__ import annotations

from mibench.planted.logic import Head, Logic, Place, copy, features, match, prefer, readout
from mibench.planted.words import IOI, NAMES


def ioi(*, steep: bool = False) -> Logic:  # noqa: ARG001
    """Return the program; it has no neurons that could be steep."""
    subject, out = ("input->a0.h0<v>", "a0.h0->a1.h0<q>"), ("a1.h0->logits",)
    names = features("tok", NAMES)
    mover = Head(
        layer=1,
        index=0,
        terms=(prefer(names, 12.0), *match("subject", "tok", NAMES, -4.0)),
        # Where the two names stand: the name said again, at offset 2, is no answer.
        offsets=(4, 6),
        channels=copy("tok", "out", NAMES),
    )
    return Logic(
        name="planted-ioi",
        note="says the one of two names that is not said again",
        words=IOI,
        n_layers=2,
        heads=(Head(0, 0, offsets=(2,), channels=copy("tok", "subject", NAMES)), mover),
        answers=readout("out", NAMES, 10.0),
        edges={
            "random": (*subject, "input->a1.h0<k>", "input->a1.h0<v>", *out),
            "s2_io_flip": subject + out,
        },
        places=(
            Place("subject", 0, "last", features("subject", NAMES), head=0),
            Place("answer", 1, "last", features("out", NAMES), head=0),
        ),
    )
