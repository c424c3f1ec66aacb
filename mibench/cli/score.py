"""``mibench score``: artifact files become records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mibench.cli.options import given, model_options, score_options, site_options, task_options, text_options
from mibench.cli.report import json_option

_EXAMPLE = """Example:

\b
    mibench score scores.json --task ioi --model smollm2-135m --split test --out records
    mibench score a.pt b.safetensors --task ioi --against eap --meta meta.yaml
    mibench score ioi_gpt2/ --task ioi --model gpt2 --split test
    mibench score sae/*.safetensors --task sae-core --task sae-probing --split test
"""


@click.command(epilog=_EXAMPLE)
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@task_options
@site_options
@text_options
@model_options
@score_options
@click.option("--meta", help="YAML: method, version, params, seed, selection of the artifacts.")
@click.option("--binary", is_flag=True, help="Each file is one circuit (in_graph), not a ranking.")
@click.option("--dry-run", is_flag=True, help="Print what would be scored, and what activations take.")
@click.option("--position-map", help="YAML: positions of the task by MIB's ids, for MIB's featurizers.")
@json_option
def command(
    files: tuple[str, ...],
    *,
    meta: str | None,
    binary: bool,
    position_map: str | None,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Score artifacts on tasks and models, with one model load.

    FILE is scores (.safetensors, .json, .pt), or a folder of nine circuits (in_graph) of at most 0.1, 0.2, 0.5, 1, 2,
    5, 10, 20 and 50 % of the edges, in any order; or of two such folders, abs-false for the signed and abs-true for
    the absolute curve. The tenth size is the whole model. Circuits that are too large are refused, except under
    --convention mib, which goes by rank. Or FILE is featurizers of a causal variable: ours, or a folder of MIB's
    triplets, of which nothing is executed. Or FILE is a sparse dictionary (ours, SAELens, dictionary_learning, Gemma
    Scope, sparsify, or four arrays); many of them share one pass over the activations.
    """
    from mibench.artifacts.formats.position_map import read_position_map
    from mibench.cli.outcome import finish
    from mibench.cli.progress import Show
    from mibench.runner.handed_in.reading import read_all
    from mibench.runner.handed_in.score import ArtifactMeta, load_artifact, read_meta, remarks, score_files
    from mibench.runner.settings import run_settings

    settings = run_settings(given(options))
    if dry_run:
        from mibench.cli.dry_run_artifacts import show_artifact_plan

        show_artifact_plan(files, settings, as_json=as_json)
        return
    known = ArtifactMeta() if meta is None else read_meta(meta)
    positions = {} if position_map is None else read_position_map(position_map)
    found, problems = read_all(
        [Path(file) for file in files],
        lambda path: load_artifact(path, known, settings, positions, binary=binary),
        settings,
    )
    with Show(silent=as_json) as show:
        report = score_files([artifact for _, artifact in found], settings, show)
    report.problems += problems
    notes = [note for path, (scores, _) in found for note in remarks(path, scores)]
    finish(report, settings, as_json=as_json, notes=notes)
