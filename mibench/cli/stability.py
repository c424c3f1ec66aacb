"""``mibench stability``: does a method find the same thing again?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mibench.cli.options import given, method_options, model_options, task_options, text_options
from mibench.cli.report import json_option, number, print_json, print_table
from mibench.core.errors import UsageError

if TYPE_CHECKING:
    from mibench.metrics.stability import Spread
    from mibench.runner.again.stability import Agreement, Repeats

_EXAMPLE = """Example:

\b
    mibench stability --task ioi --model smollm2-135m --method eap --resamples 5 --limit 100
    mibench stability --task ioi --method random --seeds 5
    mibench stability seed0.safetensors seed1.safetensors
    mibench stability --task sae-core --method topk --set k=32 --seeds 2
"""
_DEFAULT = 5
_RUNS = click.IntRange(2, 100)


@click.command(epilog=_EXAMPLE)
@click.argument("files", nargs=-1, metavar="[DICTIONARY…]")
@task_options
@text_options
@model_options
@method_options
@click.option("--resamples", type=_RUNS, help="Draw the training examples anew, with replacement.  [default: 5]")
@click.option("--seeds", "seeds_", type=_RUNS, help="Vary the seed of a method that draws, instead.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the resampling.")
@json_option
def command(
    files: tuple[str, ...],
    *,
    resamples: int | None,
    seeds_: int | None,
    seed: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Run one method several times and say how much of what it finds stays.

    Overlap is the Jaccard index of the edges (nodes, neurons) selected at each size, not pruned; agreement of whole
    rankings is Spearman's. Both are means over pairs of runs, with the range. Of sparse dictionaries, files or one
    method from several seeds, latents are matched one to one: the share with a cosine of .7 or more, and the mean.
    """
    from mibench.cli.stability_dictionaries import of_files, of_seeds, trains_dictionaries

    if files:
        of_files(files, given(options), as_json=as_json)
        return
    if trains_dictionaries(given(options)):
        of_seeds(given(options), seeds_, resamples, as_json=as_json)
        return
    _circuits(resamples, seeds_, seed, options, as_json=as_json)


def _circuits(resamples: int | None, seeds_: int | None, seed: int, options: dict[str, Any], *, as_json: bool) -> None:
    from mibench.cli.progress import Show
    from mibench.runner.again.stability import Repeats, stability
    from mibench.runner.settings import run_settings

    if resamples is not None and seeds_ is not None:
        raise UsageError("Both --resamples and --seeds are given.", why="One thing varies at a time.", do="Keep one.")
    settings = run_settings(given(options))
    for name, values in (("task", settings.task), ("model", settings.model), ("method", settings.method)):
        if len(values) != 1:
            raise UsageError(f"stability takes one {name}.", why=f"{len(values)} are given.", do="Give one.")
    repeats = Repeats("resamples", resamples or _DEFAULT, seed) if seeds_ is None else Repeats("seeds", seeds_, seed)
    with Show(silent=as_json) as show:
        found = stability(settings, repeats, show)
    if as_json:
        print_json(_as_json(found, repeats))
    else:
        _print(found, repeats)


def _print(found: Agreement, repeats: Repeats) -> None:
    first = found.scores[0]
    rows = [
        {"fraction": f"{fraction:g}", f"{first.level.value}s": by_ranking[0][0]}
        | {f"Jaccard, {ranking}": _words(each[1]) for ranking, each in zip(found.selections, by_ranking, strict=True)}
        for fraction in next(iter(found.selections.values()))
        for by_ranking in [[sizes[fraction] for sizes in found.selections.values()]]
    ]
    print_table(rows, f"{first.method}: {repeats.n} {repeats.varied}, mean [range] over pairs")
    for ranking, spread in found.correlations.items():
        click.echo(f"Rank correlation, {ranking}: {_words(spread)}")


def _words(spread: Spread) -> str:
    return number(spread.mean) if spread.low is None else f"{number(spread.mean)} [{spread.low:.3f}, {spread.high:.3f}]"


def _as_json(found: Agreement, repeats: Repeats) -> dict[str, Any]:
    first = found.scores[0]
    return {
        "method": first.method,
        "params": dict(first.params),
        "level": first.level.value,
        "varied": repeats.varied,
        "runs": repeats.n,
        "artifacts": [scores.digest for scores in found.scores],
        "jaccard": {
            ranking.value: [
                {"fraction": fraction, "n_requested": n} | vars(spread) for fraction, (n, spread) in sizes.items()
            ]
            for ranking, sizes in found.selections.items()
        },
        "rank_correlation": {ranking.value: vars(spread) for ranking, spread in found.correlations.items()},
    }
