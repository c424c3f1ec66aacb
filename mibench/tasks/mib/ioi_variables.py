"""IOI as MIB has it, for the causal-variable track, from the hub or from a local copy."""

from __future__ import annotations

from collections.abc import Iterator

from mibench.tasks.checker import Checker
from mibench.tasks.encode import TextEncoder
from mibench.tasks.interchange import InterchangeRow
from mibench.tasks.ioi.causal import (
    LINEAR,
    POSITIONS,
    SETS,
    Outcome,
    answers,
    causal_model,
    group,
    interchanges,
    parse_prompts,
)
from mibench.tasks.ioi.variables import HEADS
from mibench.tasks.mib.ioi import DATA
from mibench.tasks.task import LeftOut
from mibench.tasks.variable_task import Parts, Training, variable_task


def rows(split: str, encoder: TextEncoder | None) -> Iterator[InterchangeRow | LeftOut]:
    """Yield the rows of the three sets."""
    return interchanges(DATA.rows(split, parse_prompts), encoder)


def accepts(written: str, outcome: Outcome) -> bool:
    """Return whether the name is in the one token that was written: MIB's filter."""
    return outcome[0] in written


@variable_task(
    name="mib/ioi",
    version=1,
    variables=("output_position", "output_token"),
    citation="Mueller et al. 2025, MIB: A Mechanistic Interpretability Benchmark, arXiv:2504.13151",
    licence="Apache-2.0",
    notes="Revision e5f3468f is as cited by third parties, not verified. Without the private test set. Logits are "
    "read at the name after a space and the order of the names from the text; MIB reads the first token of the bare "
    "name and takes every base to name the subject first. Rows with names of several tokens are left out.",
)
def mib_ioi() -> Parts:
    """Indirect object identification: MIB's public splits, variables and heads."""
    return Parts(
        causal=causal_model("mib/ioi"),
        sets=SETS,
        positions=tuple(POSITIONS),
        checker=Checker(1, answers, accepts),
        rows=rows,
        sizes={"output_position": 32, "output_token": 32},
        training=Training(epochs=2, batch=1024, lr=1.0),
        linear=LINEAR,
        heads=HEADS,
        group=group,
    )
