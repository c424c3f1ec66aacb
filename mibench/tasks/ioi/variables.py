"""IOI, our own set, for the causal-variable track: position and token of the name that receives."""

from __future__ import annotations

from collections.abc import Iterator

from mibench.tasks.checker import forced
from mibench.tasks.encode import TextEncoder
from mibench.tasks.interchange import InterchangeRow
from mibench.tasks.ioi.causal import (
    LINEAR,
    POSITIONS,
    SETS,
    answers,
    causal_model,
    group,
    interchanges,
    parse_prompts,
)
from mibench.tasks.shipped import shipped_rows
from mibench.tasks.task import LeftOut
from mibench.tasks.variable_task import Parts, Training, variable_task

HEADS = {
    "smollm2-135m": ((16, 0), (17, 4), (19, 2), (20, 0)),
    "gpt2": ((7, 3), (7, 9), (8, 6), (8, 10)),
    "gemma-2-2b": ((7, 6), (8, 1)),
    "qwen2.5-0.5b": ((4, 5), (12, 0)),
}
"""Heads that tell the later ones which name stands twice (S-inhibition heads), by model.

SmolLM2's are found on our rows: each of its 270 heads was swapped by itself at all positions, base and source being the
first 30 train rows and their ``s1_io_flip``, where only the position differs. These four lower the logit difference,
4.16 logits, most: (20, 0) by 3.79, (16, 0) by 3.22, (17, 4) by 2.47, (19, 2) by 1.02; the next head by 0.19. The others
are those of MIB (gpt2, gemma-2-2b: its notebooks; qwen2.5-0.5b: its README).
"""


def rows(split: str, encoder: TextEncoder | None) -> Iterator[InterchangeRow | LeftOut]:
    """Yield the rows of the three sets."""
    return interchanges(shipped_rows("ioi", split, parse_prompts), encoder)


@variable_task(
    name="ioi",
    version=1,
    variables=("output_position", "output_token"),
    citation="Wang et al. 2023, arXiv:2211.00593 (task); Mueller et al. 2025, arXiv:2504.13151 (variables, schema)",
    licence="Apache-2.0",
    notes="Generated for mibench, both orders of the names; its numbers do not compare with those of mib/ioi. The "
    "target is linear in the signals of position and token.",
)
def ioi() -> Parts:
    """Indirect object identification: position and token of the receiver, with a linear target; generated."""
    return Parts(
        causal=causal_model("ioi"),
        sets=SETS,
        positions=tuple(POSITIONS),
        checker=forced(answers),
        rows=rows,
        sizes={"output_position": 32, "output_token": 32},
        training=Training(epochs=2, batch=32, lr=1.0),
        linear=LINEAR,
        heads=HEADS,
        group=group,
    )
