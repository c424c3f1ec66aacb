"""``mibench discover``: one method on one task and model gives an artifact file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mibench.cli.options import given, method_options, model_options, site_options, task_options, text_options
from mibench.cli.report import json_option, print_json
from mibench.core.errors import MibenchError, UsageError

_EXAMPLE = """Example:

\b
    mibench discover --task ioi --model smollm2-135m --method eap --train-limit 100 --out scores.json
"""


@click.command(epilog=_EXAMPLE)
@task_options
@site_options
@text_options
@model_options
@method_options
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of a method that draws.")
@click.option(
    "-o", "--out", required=True, help="Artifact file: .safetensors (native); circuits also .json or .pt (MIB)."
)
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
@json_option
def command(*, out: str, seed: int, overwrite: bool, as_json: bool, **options: Any) -> None:
    """Run one method on the training split and write its artifact; the suffix of --out says the format."""
    from mibench.cli.progress import Show
    from mibench.cli.written import summary, words
    from mibench.runner.discover import check_output, discover_one, save_artifact
    from mibench.runner.settings import run_settings

    settings = run_settings(given(options))
    for name, values in (("task", settings.task), ("model", settings.model), ("method", settings.method)):
        if len(values) != 1:
            raise UsageError(
                f"discover takes one {name}.",
                why=f"{len(values)} are given.",
                do="Use mibench run for several.",
            )
    check_output(out, settings, overwrite=overwrite)
    with Show(silent=as_json) as show:
        found, cost = discover_one(settings, seed, show)
    try:
        save_artifact(found, Path(out), overwrite=overwrite)
    except MibenchError as error:
        raise type(error)(error.what, why=error.why, do=f"{error.do} The method took {cost.seconds:.1f} s.") from error
    if as_json:
        print_json({"out": out} | summary(found, cost))
    else:
        passes = f"{cost.forward_passes:.0f} forward, {cost.backward_passes:.0f} backward passes"
        click.echo(f"{out}: {words(found)} by {found.method}; {cost.seconds:.1f} s, {passes}")
