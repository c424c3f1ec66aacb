"""Make the artifacts of one method: ``python -m mibench.intake.make_artifacts PLAN.json OUT``.

It runs inside the sandbox, in one process with a stranger's code: what is in ``OUT`` afterwards may be anything.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mibench.core.errors import MibenchError
from mibench.core.files import read_text
from mibench.core.specs import Track
from mibench.intake.make_plan import MAX_PLAN_BYTES, MakePlan, Step
from mibench.runner.discover import discover_one, save_artifact
from mibench.runner.grounds import NO_MODEL
from mibench.runner.observe import Quiet
from mibench.runner.settings import RunSettings, run_settings


def make(plan: MakePlan, out: Path) -> None:
    """Run a method on public training data, once for each task on each model, and write what it gives.

    Args:
        plan: What is made.
        out: Folder of the artifacts.

    Raises:
        MibenchError: A model, data or the method fails.
    """
    for step in plan.steps:
        found, _ = discover_one(settings_of(plan, step), plan.seed or 0, Quiet())
        save_artifact(found, out / step.file, overwrite=False)


def settings_of(plan: MakePlan, step: Step) -> RunSettings:
    """The run that makes one artifact: nothing is said that means nothing in the track."""
    values: dict[str, Any] = {
        "task": [step.task],
        "model": [step.model or NO_MODEL],
        "method": [plan.method],
        "set": plan.parameters,
        "dtype": plan.dtype,
    }
    if plan.track is Track.CIRCUIT:
        values["level"] = plan.level
    elif plan.track is Track.VARIABLE:
        values["variable"] = [plan.variable]
    else:
        # The cache is read-only here.
        values |= {"storage": "none"} | ({"hook": [plan.hook]} if plan.hook else {})
    return run_settings(values)


def main(words: Sequence[str]) -> int:
    """Make what a plan asks for; errors go to standard error."""
    try:
        plan = MakePlan.model_validate_json(read_text(words[0], max_bytes=MAX_PLAN_BYTES))
        make(plan, Path(words[1]))
    except MibenchError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
