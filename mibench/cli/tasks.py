"""``mibench tasks``: look at a task's examples, and export them as token ids."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mibench.cli.causal import causal
from mibench.cli.report import json_option, plain, print_json, print_table

if TYPE_CHECKING:
    from mibench.models.tokenizer import TextTokenizer

_SHOW = """Example:

\b
    mibench tasks show ioi -n 3
"""
_EXPORT = """Example:

\b
    mibench tasks export -T ioi -M smollm2-135m --split train --out ioi.jsonl
"""


@click.group()
def command() -> None:
    """Look at a task's examples, or export them for other stacks."""


command.add_command(causal)


@command.command(epilog=_SHOW)
@click.argument("task")
@click.option("-n", "n", default=3, show_default=True, type=click.IntRange(1), help="Examples.")
@click.option("--split", default="validation", show_default=True, help="Split.")
@json_option
def show(task: str, n: int, split: str, *, as_json: bool) -> None:
    """Show what TASK declares and its first examples."""
    from mibench.tasks.load import load_task

    found = load_task(task)
    pairs = [pair.as_json() for pair in found.pairs(split, n)]
    facts = {name: value for name, value in vars(found).items() if name not in ("source", "splits")}
    facts |= {"splits": list(found.splits)}
    if as_json:
        print_json(facts | {"split": split, "pairs": pairs})
        return
    print_table([{"task": key, found.name: _shown(value)} for key, value in facts.items() if value])
    for pair in pairs:
        # As JSON, so that the space that begins an answer is seen.
        texts = {key: json.dumps(value, ensure_ascii=False) for key, value in pair.items() if key != "id"}
        print_table([{"example": key, str(pair["id"]): text} for key, text in texts.items()])


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


@command.command(epilog=_EXPORT)
@click.option("-T", "--task", required=True, help="A task's name, or a .jsonl of pairs.")
@click.option("-M", "--model", required=True, help="Whose tokenizer: catalogue name, folder, hub/id@revision.")
@click.option("--split", default="validation", show_default=True, help="Split.")
@click.option("--limit", type=click.IntRange(1), help="Only the first so many pairs.")
@click.option("--out", required=True, help="The .jsonl file to write; a .meta.json is written beside it.")
@click.option("--overwrite", is_flag=True, help="Replace the files.")
@json_option
def export(task: str, model: str, split: str, limit: int | None, **rest: Any) -> None:
    """Write a split's pairs as token ids, BOS included, for other stacks."""
    from mibench.tasks.export import export_pairs
    from mibench.tasks.load import load_task

    target = _target(rest["out"], overwrite=rest["overwrite"])
    found = load_task(task)
    encoder, vocab_size = _text_encoder(model)
    written = export_pairs(found, split, encoder, target, vocab_size=vocab_size, limit=limit)
    if rest["as_json"]:
        print_json({"file": str(target), "model": model} | asdict(written))
        return
    bos = f"BOS {written.bos_id} in front" if written.bos_id is not None else "no BOS added"
    click.echo(f"Wrote {target}: {written.rows} pairs of {plain(written.task)} ({split}), {bos}.")
    click.echo(f"Digest of the pairs: {written.digest}")


def _target(out: str, *, overwrite: bool) -> Path:
    from mibench.core.errors import UsageError
    from mibench.core.files import check_name, exists

    target = Path(out)
    check_name(target)
    if target.suffix != ".jsonl":
        raise UsageError(f"{out} is no pairs file.", why="Its name does not end in .jsonl.", do="Rename it.")
    there = [path for path in (target, target.with_suffix(".meta.json")) if exists(path)]
    if there and not overwrite:
        raise UsageError(
            f"{there[0]} is not overwritten.", why="It exists.", do="Choose another name or add --overwrite."
        )
    return target


def _text_encoder(ref: str) -> tuple[TextTokenizer | None, int]:
    """Return a model's tokenizer and number of logits, without its weights where that can be."""
    from mibench.models.digest import read_config
    from mibench.models.load import load_hf
    from mibench.models.tokenizer import load_tokenizer

    folder = _checkpoint_folder(ref)
    config = read_config(folder) if folder else {}
    if folder is None or not isinstance(config.get("vocab_size"), int):
        loaded = load_hf(ref)
        return loaded.tokenizer, loaded.vocab_size
    return load_tokenizer(folder, family=str(config.get("model_type"))), config["vocab_size"]


def _checkpoint_folder(ref: str) -> Path | None:
    """Return the folder of a model that is at hand; the others are left to the loader and its errors."""
    from mibench.core.files import is_folder
    from mibench.models.cache import converted_folder
    from mibench.models.catalogue import CATALOGUE
    from mibench.models.hub import snapshot
    from mibench.models.known import known_folder, known_models
    from mibench.models.manifest import converted_manifest

    if ref in known_models():
        return known_folder(ref)
    if ref not in CATALOGUE:
        folder = Path(os.path.expanduser(ref))  # noqa: PTH111  Path.expanduser fails on the home of nobody
        return folder if is_folder(folder) else None
    spec = CATALOGUE[ref]
    if not spec.is_converted:
        return snapshot(spec.hub_id, spec.revision, gated=spec.gated)
    folder = converted_folder(spec)
    return folder if converted_manifest(folder, spec) is not None else None
