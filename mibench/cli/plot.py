"""``mibench plot``: pictures of records and artifacts."""

from __future__ import annotations

from typing import Any

import click

from mibench.cli.picture import check_out, picture_options, write_picture
from mibench.cli.plot_dictionaries import density, frontier, grid, recovery
from mibench.core.errors import UsageError

_CURVES = """Example:

\b
    mibench plot curves 3fa94c 77e01b --records runs/first --out curves.svg
"""
_HEADS = """Example:

\b
    mibench plot heads scores.safetensors --out heads.png
"""
_CIRCUIT = """Example:

\b
    mibench plot circuit 3fa94c --records runs/first --top 30 --theme dark
"""
_SITES = """Example:

\b
    mibench plot sites 3fa94c --records runs/first --out sites.png
    mibench plot sites 3fa94c --against 77e01b --out difference.svg
"""
_QUANTITIES = {
    "faithfulness": "faithfulness",
    "accuracy": "accuracy",
    "kl": "KL(model ‖ circuit), nats",
    "complement": "faithfulness of the complement",
}


@click.group()
def command() -> None:
    """Draw records and artifacts as .svg or .png.

    A record is its path, or the beginning of a cell id in the folder of --records.
    """


@command.command(epilog=_CURVES)
@click.argument("records", nargs=-1, required=True, metavar="RECORD…")
@click.option("--ranking", type=click.Choice(["signed", "absolute"]), default="absolute", show_default=True)
@click.option("--of", "quantity", type=click.Choice(list(_QUANTITIES)), default="faithfulness", show_default=True)
@click.option("--scale", type=click.Choice(["log", "linear"]), default="log", show_default=True, help="Circuit sizes.")
@picture_options("curves")
def curves(records: tuple[str, ...], ranking: str, quantity: str, scale: Any, **options: Any) -> None:
    """Draw curves over circuit size, with 95 % intervals as bands, one line a record."""
    from mibench.cli.drawable import curve_title, named_curves
    from mibench.cli.find import find_record
    from mibench.plots.curves import faithfulness_picture

    check_out(options)
    found = [find_record(ref, options["folder"]) for ref in records]
    lines = named_curves(found, f"{quantity}_{ranking}")
    what = _QUANTITIES[quantity]
    title = curve_title(found)
    drawn = faithfulness_picture(lines, title, ranking, scale=scale, theme=options["theme"], what=what)
    write_picture(drawn, options, {"curves": list(lines)}, f"{len(lines)} curve{'s' if len(lines) > 1 else ''}")


@command.command(epilog=_HEADS)
@click.argument("source", metavar="RECORD|FILE")
@click.option("--how", type=click.Choice(["sum", "max"]), default="sum", show_default=True, help="Of an item's parts.")
@picture_options("heads")
def heads(source: str, how: Any, **options: Any) -> None:
    """Draw how much each head and MLP matters, by layer.

    Of edges that is the sum (or the largest) of |score| over the edges that leave it; scores of nodes are drawn as
    they are.
    """
    from mibench.cli.drawable import drawable
    from mibench.plots.importance import importance, importance_picture

    check_out(options)
    found = drawable(source, options["folder"])
    values = importance(found.scores.graph, found.scores.scores, found.scores.scored, how)
    drawn = importance_picture(values, found.title, theme=options["theme"])
    write_picture(drawn, options, {"meaning": values.meaning}, values.meaning)


@command.command(epilog=_CIRCUIT)
@click.argument("source", metavar="RECORD|FILE")
@click.option("--top", type=click.IntRange(1, 200), default=30, show_default=True, help="Edges, at most.")
@picture_options("circuit")
def circuit(source: str, top: int, **options: Any) -> None:
    """Draw the circuit of the best edges by |score|: pruned, with at most --top edges."""
    from mibench.cli.drawable import drawable
    from mibench.core.specs import Level
    from mibench.plots.diagram import circuit_picture, strongest, top_edges

    check_out(options)
    found = drawable(source, options["folder"])
    scores = found.scores
    if scores.level is not Level.EDGE:
        why = f"Its scores are of {scores.level}s."
        raise UsageError("There are no edges to draw.", why=why, do=f"mibench plot heads {source}")
    if scores.binary:
        chosen = strongest(scores.graph, scores.circuit().edges, scores.scores, top)
    else:
        chosen = top_edges(scores.graph, scores.scores, top)
    drawn = circuit_picture(chosen, found.title, theme=options["theme"])
    write_picture(drawn, options, {"edges": int(chosen.edges.sum()), "of": scores.graph.n_edges}, chosen.words)


@command.command(epilog=_SITES)
@click.argument("source", metavar="RECORD")
@click.option("--against", metavar="RECORD", help="Subtract this record's map, on the rows that both have.")
@picture_options("sites")
def sites(source: str, against: str | None, **options: Any) -> None:
    """Draw where a causal variable was found: layers × positions (or heads), less what doing nothing gives.

    The first map is also printed. Intervals are 95 %, over rows within sets.
    """
    from mibench.cli.drawable import site_tables, site_title
    from mibench.cli.site_text import print_map
    from mibench.core.hashing import array_digest
    from mibench.metrics.bootstrap import Resampling
    from mibench.metrics.variable.maps import difference_maps, site_maps
    from mibench.plots.heat_map import heat_map_picture

    check_out(options)
    record, tables = site_tables(source, options["folder"])
    records = [record]
    if against is None:
        maps = site_maps(tables, Resampling())
    else:
        other, others = site_tables(against, options["folder"])
        records, maps = [record, other], difference_maps(tables, others, Resampling())
    title = site_title(records)
    if not options["as_json"]:
        print_map(maps, title)
    summary = {"words": maps.words, "digest": array_digest(maps.values)}
    write_picture(heat_map_picture(maps, title, theme=options["theme"]), options, summary, maps.words)


for _picture in (frontier, grid, density, recovery):
    command.add_command(_picture)
