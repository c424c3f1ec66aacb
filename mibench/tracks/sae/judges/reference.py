"""From a reference to a judge."""

from __future__ import annotations

import os

from mibench.core.errors import UsageError
from mibench.tasks.sae.autointerp import JUDGE_VARIABLE, AutointerpTask
from mibench.tracks.sae.judges.address import address, key_for
from mibench.tracks.sae.judges.judge import Judge
from mibench.tracks.sae.judges.local import LocalJudge
from mibench.tracks.sae.judges.server import ServerJudge

LOCAL = "local:"
NO_JUDGE = (
    f"no judge is given: set {JUDGE_VARIABLE} to local:MODEL or https://HOST/v1#MODEL; sae-explainability needs none"
)


def judge_of(settings: AutointerpTask, device: str) -> Judge | None:
    """Return the judge that the environment or the task names; None where neither does. Nothing is loaded or asked.

    Raises:
        UsageError: The reference is none, or the key cannot be used.
    """
    ref = os.environ.get(JUDGE_VARIABLE, "").strip() or settings.judge
    if not ref:
        return None
    if ref.startswith(LOCAL) and len(ref) > len(LOCAL):
        return LocalJudge(ref.removeprefix(LOCAL), device)
    if ref.startswith(("http://", "https://")):
        where = address(ref)
        return ServerJudge(where, settings.limits, key_for(where))
    raise UsageError(
        "The judge is not known.",
        why="Its reference begins with neither local: nor https://.",
        do="Write local:MODEL, or https://HOST/v1#MODEL.",
    )
