"""``mibench convert``: circuit scores, featurizers and dictionaries from one file format to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from mibench.cli.convert_dictionaries import FORMATS as DICTIONARY_FORMATS
from mibench.cli.report import json_option, plain, print_json

if TYPE_CHECKING:
    from mibench.artifacts.circuit import CircuitScores

_EXAMPLE = """Example:

\b
    mibench convert scores.pt scores.safetensors
    mibench convert circuit.json circuit.safetensors --binary
    mibench convert ifr.json ifr.safetensors --selection greedy
    mibench convert ARC_easy_Gemma2ForCausalLM_answer das.safetensors --model gemma-2-2b
    mibench convert das.safetensors submission
    mibench convert layer_12/width_16k/average_l0_82 sae.safetensors --model gemma-2-2b
    mibench convert sae.safetensors sae_folder --to saelens
"""


@click.command(epilog=_EXAMPLE)
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@click.option("--level", type=click.Choice(["edge", "node", "neuron"]), help="Which scores to read.")
@click.option("--binary", is_flag=True, help="Read the one circuit that the file names, not a ranking.")
@click.option(
    "--selection",
    type=click.Choice(["top-n", "greedy", "pnr", "ilp", "pnr+ilp"]),
    help="How circuits are to be chosen from the scores; .safetensors keeps it.",
)
@click.option("--model", metavar="NAME", help="Model of featurizers or of a dictionary, where its files do not say.")
@click.option("--position-map", metavar="FILE", help="YAML: MIB's token positions, and the task's that they are.")
@click.option("--hook", metavar="KIND.Llayer", help="Where a dictionary reads, where its files do not say it.")
@click.option("--to", type=click.Choice(DICTIONARY_FORMATS), help="Format of a dictionary.  [default: native]")
@click.option("--overwrite", is_flag=True, help="Replace OUT.")
@json_option
def command(source: str, target: str, **options: Any) -> None:
    """Convert circuit scores between .safetensors (native), and MIB's .json and .pt.

    Featurizers: a folder of MIB's to .safetensors, or .safetensors to a submission's folder. Dictionaries: SAELens and
    sparsify folders, dictionary_learning's, Gemma Scope's .npz, or a .safetensors of arrays, to any of these.
    """
    from mibench.cli import convert_dictionaries as dictionaries
    from mibench.cli.convert_featurizers import Wish, convert_featurizers, holds_featurizers

    if dictionaries.holds_dictionary(source):
        _refuse(options, ("level", "binary", "selection"), "circuit scores")
        _refuse(options, ("position_map",), "featurizers")
        keys = ("model", "hook", "overwrite", "as_json")
        asked = dictionaries.Wish(options["to"] or "native", *(options[key] for key in keys))
        dictionaries.convert_dictionary(source, target, asked)
        return
    _refuse(options, ("hook", "to"), "dictionaries")
    if holds_featurizers(source):
        _refuse(options, ("level", "binary", "selection"), "circuit scores")
        wish = Wish(options["model"], options["position_map"], options["overwrite"], options["as_json"])
        convert_featurizers(source, target, wish)
        return
    _refuse(options, ("model", "position_map"), "featurizers")
    _convert_scores(source, target, **options)


def _refuse(options: Mapping[str, Any], names: Sequence[str], kind: str) -> None:
    from mibench.core.errors import UsageError

    given = [f"--{name.replace('_', '-')}" for name in names if options[name]]
    if given:
        do = "Leave it out, or check the path."
        raise UsageError(f"{given[0]} does not go with this file.", why=f"It is for {kind}.", do=do)


def _convert_scores(source: str, target: str, level: str | None, selection: str | None, **flags: Any) -> None:
    from mibench.artifacts.files import convert
    from mibench.artifacts.selection import Selection
    from mibench.core.specs import Level

    scores = convert(
        source,
        target,
        level=Level(level) if level else None,
        binary=flags["binary"],
        selection=Selection.of(selection) if selection else None,
        overwrite=flags["overwrite"],
    )
    if flags["as_json"]:
        print_json({"source": source, "target": target} | _summary(scores))
        return
    click.echo(f"Read {source}: {_words(scores)}.")
    for kind, count in scores.counters.items():
        click.echo(f"  {plain(kind)}: {count}")
    for note in scores.notes:
        click.echo(f"  {plain(note)}")
    click.echo(f"Wrote {target}.")


def _words(scores: CircuitScores) -> str:
    from mibench.artifacts.series import CircuitSeries

    kind = "one circuit" if scores.binary else f"{scores.level.value} scores"
    kind = "circuits of nine sizes" if isinstance(scores, CircuitSeries) else kind
    method = f", method {plain(scores.method)}" if scores.method else ""
    graph = f"{scores.graph.n_layers} layers of {scores.graph.n_heads} heads"
    chosen = "" if scores.selection.rule == "top-n" else f", selection {plain(str(scores.selection))}"
    return f"{kind}, {scores.n_scored} items scored, {graph}{method}{chosen}"


def _summary(scores: CircuitScores) -> dict[str, Any]:
    return {
        "level": scores.level.value,
        "binary": scores.binary,
        "n_scored": scores.n_scored,
        "n_layers": scores.graph.n_layers,
        "n_heads": scores.graph.n_heads,
        "method": scores.method,
        "selection": scores.selection.to_json(),
        "digest": scores.digest,
        "counters": dict(scores.counters),
        "notes": list(scores.notes),
    }
