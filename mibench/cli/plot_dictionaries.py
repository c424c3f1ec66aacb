"""``mibench plot frontier|grid|density|recovery``: pictures of the records of sparse dictionaries."""

from __future__ import annotations

from typing import Any

import click

from mibench.cli.picture import check_out, picture_options, write_picture

_FRONTIER = """Example:

\b
    mibench plot frontier runs/smollm2 --out frontier.png
    mibench plot frontier runs/smollm2 --metric explained_variance_global --metric ce_recovered_mean
"""
_GRID = """Example:

\b
    mibench plot grid runs/smollm2 --out grid.png
    mibench plot grid runs/smollm2 --by dictionary --metric l0 --metric dead
"""
_DENSITY = """Example:

\b
    mibench plot density 3fa94c 77e01b --records runs/smollm2 --out density.png
"""
_RECOVERY = """Example:

\b
    mibench plot recovery 3fa94c --records runs/toy --out recovery.png
    mibench plot recovery 3fa94c --records runs/toy --dictionary toy.safetensors
"""
_MOST_HISTOGRAMS = 10

_records = click.argument("records", nargs=-1, metavar="[FOLDER|RECORD]…")
_metric = click.option("--metric", multiple=True, help="Name as in records. Repeats.  [default: the leaderboard's]")


@click.command(epilog=_FRONTIER)
@_records
@_metric
@picture_options("frontier")
def frontier(records: tuple[str, ...], metric: tuple[str, ...], **options: Any) -> None:
    """Draw metrics of dictionaries over L0, a line a family, with null, oracle and frontier areas."""
    from mibench.cli.drawable_dictionaries import dictionary_entries, remarks, shared_title
    from mibench.cli.family_pictures import area_notes, measured, panels
    from mibench.plots.frontier import frontier_picture

    check_out(options)
    entries = dictionary_entries(records, options["folder"])
    shown = measured(entries, metric)
    drawn = panels(shown)
    found = [entry.record for entry in entries]
    title = shared_title(one.group.cell for one in shown)
    picture = frontier_picture(drawn, title, [*area_notes(shown), *remarks(found)], theme=options["theme"])
    names = list(dict.fromkeys(one.name for panel in drawn for one in panel.frontiers))
    summary = {"metrics": [one.column.metric for one in shown], "families": names}
    write_picture(picture, options, summary, f"{len(drawn)} metrics of {len(names)} families")


@click.command(epilog=_GRID)
@_records
@_metric
@click.option("--by", type=click.Choice(["auto", "family", "dictionary"]), default="auto", show_default=True)
@picture_options("grid")
def grid(records: tuple[str, ...], metric: tuple[str, ...], by: str, **options: Any) -> None:
    """Draw a table of metrics by families (their frontier areas) or by dictionaries, shaded by how good they are."""
    from mibench.cli.drawable_dictionaries import dictionary_entries, remarks, shared_title
    from mibench.cli.family_pictures import grid as make_grid
    from mibench.cli.family_pictures import measured
    from mibench.plots.metric_grid import grid_picture

    check_out(options)
    entries = dictionary_entries(records, options["folder"])
    shown = measured(entries, metric)
    made = make_grid(shown, by)
    notes = remarks([entry.record for entry in entries])
    picture = grid_picture(made, shared_title(one.group.cell for one in shown), notes, theme=options["theme"])
    summary = {"metrics": [one.column.metric for one in shown], "columns": list(made.columns)}
    write_picture(picture, options, summary, f"{len(made.rows)} metrics by {len(made.columns)} columns")


@click.command(epilog=_DENSITY)
@_records
@picture_options("density")
def density(records: tuple[str, ...], **options: Any) -> None:
    """Draw how often latents are active, and the share that never is; one histogram a record."""
    from mibench.cli.drawable_dictionaries import densities, dictionary_entries, remarks, shared_title
    from mibench.core.errors import UsageError
    from mibench.plots.density import density_picture

    check_out(options)
    entries = dictionary_entries(records, options["folder"])
    entries = [one for one in entries if "latents" in one.record.tables] or entries
    if len(entries) > _MOST_HISTOGRAMS:
        why = f"There are {len(entries)} records, and {_MOST_HISTOGRAMS} histograms can be told apart."
        raise UsageError("That is too much for one picture.", why=why, do="Name single records by their ids.")
    found, shown = [entry.record for entry in entries], densities(entries)
    title = shared_title(record.cell for record in found)
    picture = density_picture(shown, f"Densities · {title}", remarks(found), theme=options["theme"])
    summary = {"dead": {one.name: one.dead for one in shown}}
    write_picture(picture, options, summary, "; ".join(f"{one.name}: {one.words}" for one in shown))


@click.command(epilog=_RECOVERY)
@click.argument("record", metavar="RECORD")
@click.option("--dictionary", metavar="FILE", help="The scored dictionary; with it, all cosines are drawn.")
@picture_options("recovery")
def recovery(record: str, dictionary: str | None, **options: Any) -> None:
    """Draw how well known features of generated data are recovered: features × latents, and matched cosines."""
    from mibench.cli.drawable_dictionaries import dictionary_entries, labels, recovery_of
    from mibench.core.errors import UsageError
    from mibench.core.files import is_folder
    from mibench.plots.recovery_matrix import recovery_picture

    check_out(options)
    if is_folder(record):
        why = "A matrix is of one dictionary."
        raise UsageError(f"{record} is a folder.", why=why, do=f"mibench list records --records {record}")
    (entry,) = dictionary_entries([record], options["folder"])
    found = recovery_of(entry, dictionary)
    task = entry.record.cell.task
    title = f"{labels([entry.record])[0]} · {task.name}"
    picture = recovery_picture(found, title, [f"Split {task.split}"], theme=options["theme"])
    summary = {"features": len(found.latent), "latents": len(found.closest), "matched": len(found.matched)}
    mean = float(found.matched.mean()) if len(found.matched) else 0.0
    write_picture(picture, options, summary | {"mean_cosine": mean}, f"mean cosine of matches {mean:.3f}")
