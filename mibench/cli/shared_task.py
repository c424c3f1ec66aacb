"""``mibench shared-task``: run a shared task, from its rules to its results."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mibench.cli.model_folders import model_folder_option, named_folders
from mibench.cli.report import json_option, plain, print_json
from mibench.cli.shared_task_teams import add, nominate, register, withdraw
from mibench.cli.shared_task_text import opened, print_failures, print_status, state_of, status_values
from mibench.core.errors import UsageError

if TYPE_CHECKING:
    from mibench.intake.round import SplitName

_INIT = "Example: mibench shared-task init rounds/2030 --name mib-2030"
_OPEN = """Example:

\b
    mibench shared-task open rounds/2030
    mibench shared-task open rounds/2030 --model-folder tiny=models/tiny
"""
_EVALUATE = """Example:

\b
    mibench shared-task evaluate rounds/2030
    mibench shared-task evaluate rounds/2030 --split final --workers 4
    mibench shared-task evaluate rounds/2030 --executor slurm --workers 20 --scheduler cpus=8
"""
_folder = click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
_sandbox = click.option(
    "--sandbox",
    type=click.Choice(["auto", "bubblewrap", "apptainer", "unshare"]),
    default="auto",
    show_default=True,
    help="What confines the scoring; without one that holds, nothing is scored.",
)


@click.group()
def command() -> None:
    """Run a shared task: rules, teams, submissions, private splits, scoring and results, in one FOLDER."""


for _one in (register, add, withdraw, nominate):
    command.add_command(_one)


@command.command(epilog=_INIT)
@_folder
@click.option("--name", required=True, help="Short name of the round: ASCII letters, digits, - and dots.")
@json_option
def init(folder: Path, *, name: str, as_json: bool) -> None:
    """Write rules to fill in to FOLDER/round.yaml, and the secret salt of the private splits."""
    from mibench.shared_task.draft import write_draft

    rules = write_draft(folder, name, datetime.now(UTC))
    if as_json:
        print_json({"rules": str(rules)})
        return
    click.echo(plain(f"Wrote {rules}: fill it in, then mibench shared-task open {folder}"))


@command.command("open", epilog=_OPEN)
@_folder
@model_folder_option
@json_option
@click.pass_context
def open_command(context: click.Context, /, folder: Path, *, folders: tuple[str, ...], as_json: bool) -> None:
    """Check the rules, draw the private splits, commit to them, and write FOLDER/round.json for participants."""
    from mibench.shared_task.folder import RoundFolder
    from mibench.shared_task.opening import open_round

    done = open_round(RoundFolder(folder), named_folders(folders), datetime.now(UTC))
    if done.round is None:
        print_failures(done.failures, as_json=as_json)
        context.exit(1)
    path, commitments = RoundFolder(folder).round_file, dict(done.round.commitments)
    if as_json:
        print_json({"round": str(path), "already_open": done.already, "commitments": commitments})
        return
    if done.already:
        click.echo(plain(f"{done.round.name} is open already, since {done.round.opened.isoformat()}: nothing changed."))
        return
    click.echo(plain(f"{done.round.name} is open until {done.round.deadline.isoformat()}. Publish {path}."))
    for split, digest in commitments.items():
        click.echo(f"{split}: {digest}")


@command.command(epilog="Example: mibench shared-task status rounds/2030 --audit")
@_folder
@click.option("--audit", is_flag=True, help="Check the audit log too: that it is whole, and gives what is shown.")
@json_option
def status(folder: Path, *, audit: bool, as_json: bool) -> None:
    """Say how a round stands; nothing that is printed is private."""
    rules, state = opened(folder), state_of(folder)
    if audit:
        state.check_audit()
    values = status_values(rules, state, audited=audit)
    if as_json:
        print_json(values)
    else:
        print_status(values)


@command.command(epilog=_EVALUATE)
@_folder
@click.option("--split", type=click.Choice(["standings", "final"]), default="standings", show_default=True)
@click.option(
    "--workers",
    type=click.IntRange(0, 256),
    default=1,
    show_default=True,
    help="Workers at once; 0: only those that are started by hand (mibench shared-task work).",
)
@click.option(
    "--executor",
    type=click.Choice(["process", "slurm", "ray"]),
    default="process",
    show_default=True,
    help="What starts workers: this machine, or a cluster that sees FOLDER.",
)
@click.option("--scheduler", multiple=True, metavar="KEY=VALUE", help="What Slurm or Ray is told. Repeats.")
@_sandbox
@click.option("--trust-code", is_flag=True, help="Run methods that wait, in the sandbox, and score what they make.")
@json_option
def evaluate(
    folder: Path, *, split: SplitName, workers: int, sandbox: str, trust_code: bool, as_json: bool, **hire: Any
) -> None:
    """Score every submission that waits, each in a sandbox without network. What fails is said, and stops no other.

    The final split is scored once, after closing, for what teams nominated.
    """
    from dataclasses import asdict

    from mibench.cli.shared_task_teams import check_of
    from mibench.sandbox.backends import find_backend
    from mibench.shared_task.drive import Pace, evaluate
    from mibench.shared_task.folder import RoundFolder

    rules, state = opened(folder), state_of(folder)
    # Refuses the final split of a round that is not closed, before a sandbox is looked for.
    state.waiting(split)
    backend = find_backend(sandbox)
    state.repair(check_of(RoundFolder(folder), rules))
    pace = Pace(observer=_said if not as_json else _silent, trust_code=trust_code, **_hired(**hire))
    report = evaluate(RoundFolder(folder), split, workers, backend, pace)
    if as_json:
        print_json(asdict(report))
        return
    counts = f"{len(report.scored)} scored, {len(report.failed)} failed, {len(report.withdrawn)} withdrawn"
    click.echo(f"{split}: {counts}; in {report.backend}.")
    for number, reason in report.failed.items():
        click.echo(plain(f"  {number}: {reason}"))
    if report.unmade:
        which = ", ".join(map(str, report.unmade))
        click.echo(f"{which} hold code and go on waiting; --trust-code runs it in the sandbox, to make artifacts.")


@command.command(epilog="Example: mibench shared-task work rounds/2030/spool --sandbox apptainer")
@click.argument("spool", metavar="SPOOL", type=click.Path(path_type=Path))
@_sandbox
@click.option("--once", is_flag=True, help="End when nothing waits.")
@json_option
def work(spool: Path, *, sandbox: str, once: bool, as_json: bool) -> None:
    """Score jobs of a SPOOL folder that a driver on this or another machine fills, until it is stopped."""
    from mibench.sandbox.backends import find_backend
    from mibench.shared_task.spool import Spool
    from mibench.shared_task.work import stop_on_terminate
    from mibench.shared_task.work import work as take_jobs

    if not spool.is_dir():
        why, do = "There is no such folder.", "Give the folder spool of a round."
        raise UsageError(f"{str(spool)[:200]} is no spool.", why=why, do=do)
    backend = find_backend(sandbox)
    stop_on_terminate()
    n_done = take_jobs(Spool(spool), backend, once=once)
    if as_json:
        print_json({"done": n_done, "backend": backend.name})
    else:
        click.echo(f"{n_done} done; in {backend.name}.")


@command.command(epilog='Example: mibench shared-task close rounds/2030 --early "all teams are done"')
@_folder
@click.option("--early", metavar="REASON", help="Close before the deadline; the audit log keeps why.")
@json_option
def close(folder: Path, *, early: str | None, as_json: bool) -> None:
    """Close a round after its deadline, and keep everything it rests on in FOLDER/archive, listed by digest.

    Of a round that is closed the archive is brought up to date: run it again once the final split is scored.
    """
    from mibench.cli.shared_task_teams import check_of
    from mibench.shared_task.closing import close_round
    from mibench.shared_task.folder import RoundFolder

    rules, state = opened(folder), state_of(folder)
    state.repair(check_of(RoundFolder(folder), rules))
    done = close_round(RoundFolder(folder), state, early)
    if as_json:
        values = {"archive": str(done.archive), "files": done.files, "manifest_sha256": done.digest}
        print_json(values | {"already_closed": done.already})
        return
    word = "was closed already; its archive is up to date" if done.already else "is closed"
    click.echo(plain(f"{rules.name} {word}: {done.archive}, {done.files} files, manifest {done.digest}."))


@command.command(epilog="Example: mibench shared-task publish rounds/2030 --reveal")
@_folder
@click.option("--reveal", is_flag=True, help="After the final: publish salt and private splits too.")
@click.option("--reveal-unscored", is_flag=True, help="Reveal although submissions wait for the final split.")
@json_option
def publish(folder: Path, *, reveal: bool, reveal_unscored: bool, as_json: bool) -> None:
    """Write FOLDER/public: standings, tables and a front page; after the final evaluation, its results.

    Nothing private is in it, unless it is revealed after closing.
    """
    from mibench.shared_task.folder import RoundFolder
    from mibench.shared_task.publishing import Reveal
    from mibench.shared_task.publishing import publish as publish_round

    opened(folder)
    wanted = Reveal(wanted=reveal or reveal_unscored, unscored=reveal_unscored)
    done = publish_round(RoundFolder(folder), state_of(folder), datetime.now(UTC), wanted)
    if as_json:
        values = {"folder": str(done.folder), "splits": list(done.splits)}
        print_json(values | {"waiting_for_final": done.waiting, "revealed": done.revealed})
        return
    waiting = f" {done.waiting} submissions wait for the final split." if done.waiting else ""
    revealed = " Salt and splits are revealed." if done.revealed else ""
    click.echo(plain(f"Wrote {done.folder}: {', '.join(done.splits)}.{waiting}{revealed}"))


@command.command(epilog="Example: mibench shared-task verify round.json reveal")
@click.argument("round_file", metavar="ROUND.json", type=click.Path(path_type=Path))
@click.argument("revealed", metavar="REVEAL", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def verify(context: click.Context, /, round_file: Path, revealed: Path, *, as_json: bool) -> None:
    """Check that revealed splits and salt give the digests that ROUND.json has had since the round was opened."""
    from dataclasses import asdict

    from mibench.shared_task.reveal import verify as verify_reveal

    done = verify_reveal(round_file, revealed)
    if as_json:
        print_json([asdict(one) for one in done])
    for one in () if as_json else done:
        click.echo(plain(f"{one.split}: {one.fault or f'is what was committed to, {one.commitment}.'}"))
    context.exit(1 if any(one.fault for one in done) else 0)


def _hired(executor: str, scheduler: tuple[str, ...]) -> dict[str, Any]:
    """Where workers are from, and the threads of their scorers: those of one task of a scheduler."""
    from mibench.cli.options import parameters
    from mibench.shared_task.scheduled import hire_from

    if executor == "process":
        if scheduler:
            do = "Leave it out, or give --executor slurm or --executor ray."
            raise UsageError("--scheduler means nothing here.", why="Workers are processes of this machine.", do=do)
        return {}
    options = parameters(list(scheduler), flag="scheduler")
    cpus = options.get("cpus", options.get("num_cpus", 1))
    threads = max(1, int(cpus)) if isinstance(cpus, int | float) else 1
    return {"hire": hire_from(executor, options), "threads": threads}


def _said(done: int, total: int) -> None:
    click.echo(f"{done} of {total} are dealt with.", err=True)


def _silent(done: int, total: int) -> None:
    pass
