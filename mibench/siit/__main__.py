"""``python -m mibench.siit``: train models that have a known mechanism, and check them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import click
import torch

from mibench.core.errors import DataError, MibenchError, UsageError
from mibench.core.files import check_name, exists, is_folder
from mibench.core.truth import TRUTH_FILE, read_truth
from mibench.siit import check as checks
from mibench.siit.card import Made
from mibench.siit.checkpoints import FILE
from mibench.siit.export import write_digests, write_knowledge, write_model
from mibench.siit.findings import Findings
from mibench.siit.probe import Probe
from mibench.siit.recipes import RECIPES, Recipe, recipe_of
from mibench.siit.trainer import Trainer

_NOT_REACHED = 1


@click.group()
def command() -> None:
    """Train models that have a known mechanism, and check them."""
    # The order of sums depends on the number of threads, and so do a training's last bits.
    torch.set_num_threads(1)


@command.command()
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the model; new or unfinished.")
def train(name: str, out: Path) -> None:
    """Train the model NAME; goes on where an interrupted training stopped."""
    _guarded(lambda: _train(recipe_of(name), out))


@command.command()
@click.argument("folder", type=click.Path(path_type=Path))
def check(folder: Path) -> None:
    """Check the model in FOLDER; exit status 1 if it is not as it must be."""
    _guarded(lambda: _report(checks.check(Probe.of(folder, _recipe_in(folder).reader))))


@command.command()
@click.argument("folder", type=click.Path(path_type=Path))
def digests(folder: Path) -> None:
    """Write digests.json for the models in FOLDER."""
    _guarded(lambda: _digests(folder))


def _train(recipe: Recipe, out: Path) -> bool:
    check_name(out)
    if exists(out) and not (is_folder(out) and (not any(out.iterdir()) or (out / FILE).is_file())):
        raise UsageError(
            f"{out} is in use.", why="It is no empty folder and no unfinished training.", do="Choose another folder."
        )
    trainer = Trainer(recipe, out, _tell)
    trainer.run()
    state = trainer.state
    write_model(out, recipe, trainer.network)
    made = Made(state.steps, state.decay_from or 0, state.seconds)
    findings = write_knowledge(out, recipe, made)
    trainer.forget()
    return _report(findings)


def _recipe_in(folder: Path) -> Recipe:
    truth = read_truth(folder)
    names = () if truth is None else [name for name in truth.tasks if name in RECIPES]
    if not names:
        raise DataError(
            f"{folder} is no model that mibench.siit has trained.",
            why=f"Its {TRUTH_FILE} is missing or names none of {', '.join(RECIPES)}.",
            do="Give the folder that was written by: python -m mibench.siit train NAME --out FOLDER",
        )
    return RECIPES[names[0]]


def _digests(folder: Path) -> bool:
    if not is_folder(folder):
        raise UsageError(f"{folder} is no folder.", why="There is none of that name.", do="Check the path.")
    unfinished = next(folder.glob(f"*/{FILE}"), None)
    if unfinished is not None:
        why = f"{unfinished} is what an interrupted training left."
        raise UsageError(f"{folder} is not ready.", why=why, do="Finish that training, or remove it.")
    write_digests(folder)
    return True


def _tell(step: int, numbers: Mapping[str, float]) -> None:
    click.echo(f"step {step}: " + ", ".join(f"{name} {value:.3f}" for name, value in numbers.items()), err=True)


def _report(findings: Findings) -> bool:
    for line in findings.lines:
        click.echo(line)
    for line in findings.failures:
        click.echo(f"not reached: {line}", err=True)
    return not findings.failures


def _guarded(run: Callable[[], bool]) -> None:
    try:
        good = run()
    except MibenchError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_status)
    if not good:
        sys.exit(_NOT_REACHED)


if __name__ == "__main__":
    command()
