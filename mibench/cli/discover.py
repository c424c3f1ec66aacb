"""``mibench discover``: one method on one task and model gives an artifact file."""

from __future__ import annotations

from typing import Any

import click

from mibench.cli.options import given, method_options, model_options, site_options, task_options
from mibench.cli.report import json_option, print_json
from mibench.core.errors import MibenchError, UsageError

_EXAMPLE = """Example:

\b
    mibench discover --task ioi --model smollm2-135m --method eap --train-limit 100 --out scores.json
"""


@click.command(epilog=_EXAMPLE)
@task_options
@site_options
@model_options
@method_options
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of a method that draws.")
@click.option("-o", "--out", required=True, help="Artifact file: .safetensors (native), .json or .pt (MIB).")
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
@json_option
def command(*, out: str, seed: int, overwrite: bool, as_json: bool, **options: Any) -> None:
    """Run one method on the training split and write its artifact; the suffix of --out says the format."""
    from mibench.artifacts.circuit import CircuitScores
    from mibench.artifacts.featurizers.files import save_featurizers
    from mibench.artifacts.files import save_scores
    from mibench.cli.progress import Show
    from mibench.runner.discover import check_output, discover_one
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
    scored = isinstance(found, CircuitScores)
    try:
        (save_scores if scored else save_featurizers)(found, out, overwrite=overwrite)
    except MibenchError as error:
        raise type(error)(error.what, why=error.why, do=f"{error.do} The method took {cost.seconds:.1f} s.") from error
    summary = {
        "out": out,
        "method": found.method,
        "params": dict(found.params),
        **({"level": found.level.value, "items": found.n_scored} if scored else {"items": len(found.sites)}),
        "seconds": round(cost.seconds, 3),
        "forward_passes": cost.forward_passes,
        "backward_passes": cost.backward_passes,
    }
    if as_json:
        print_json(summary)
    else:
        passes = f"{cost.forward_passes:.0f} forward, {cost.backward_passes:.0f} backward passes"
        what = f"{found.n_scored} {found.level} scores" if scored else f"featurizers of {len(found.sites)} sites"
        click.echo(f"{out}: {what} by {found.method}; {cost.seconds:.1f} s, {passes}")
