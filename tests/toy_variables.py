"""A toy task of the variable track: two digits, their sum below ten, and a word that has no effect."""

from __future__ import annotations

from mibench.tasks.causal.model import CausalModel, Variable
from mibench.tasks.checker import forced
from mibench.tasks.interchange import InterchangeRow
from mibench.tasks.positions import last, regex
from mibench.tasks.variable_task import Parts, VariableTask

CAUSAL = CausalModel(
    "toy",
    (
        Variable("word"),
        Variable("a", domain=range(10)),
        Variable("b", domain=range(10)),
        Variable("sum", ("a", "b"), lambda a, b: a + b),
        Variable("raw_output", ("sum",), str),
    ),
)


def row(set_, base, source, *, id_="0", words=("So", "So")):
    """Return a row; a base is (a, b)."""
    settings = [{"word": word, "a": a, "b": b} for word, (a, b) in zip(words, (base, source), strict=True)]
    prompts = ["{word} {a}+{b}=".format(**setting) for setting in settings]
    return InterchangeRow(id_, set_, *settings, *prompts)


ROWS = [
    row("both", (1, 2), (4, 3), id_="0"),
    row("first", (1, 2), (4, 2), id_="0"),
    row("both", (3, 2), (2, 4), id_="1"),
    row("first", (5, 2), (9, 2), id_="1"),
    row("both", (6, 2), (3, 3), id_="2"),
    row("first", (3, 3), (1, 3), id_="2"),
]


def task(rows=ROWS, **changes):
    """Return the task; ``rows`` may be what gives them, ``changes`` are other parts."""
    parts = {
        "causal": CAUSAL,
        "sets": ("both", "first"),
        "positions": (last(), regex("a", r"\d"), regex("word", r"\A\w+", which="all", aliases=("first_word",))),
        "checker": forced(lambda output: (output,) if len(output) == 1 else ()),
        "rows": rows if callable(rows) else lambda split, encoder: list(rows),
        "group": lambda one: {"word": one.base["word"]},
    } | changes
    return VariableTask("toy", 1, ("a", "b", "sum"), "Nobody 2026", "Apache-2.0", Parts(**parts), "Toy.")
