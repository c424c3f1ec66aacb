"""``mibench shared-task``: what happens with a team's key."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mibench.cli.report import json_option, plain, print_json
from mibench.cli.shared_task_text import opened, state_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mibench.intake.failures import Report
    from mibench.intake.round import Round
    from mibench.shared_task.folder import RoundFolder
    from mibench.shared_task.state import RoundState

KEY_VARIABLE = "MIBENCH_TEAM_KEY"
_ADD = """Example:

\b
    mibench shared-task add rounds/2030 my-submission.zip
    MIBENCH_TEAM_KEY=… mibench shared-task add rounds/2030 submissions/my-team__my-method@1
"""
_folder = click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
_number = click.argument("number", metavar="ENTRY", type=click.IntRange(1))
_key = click.option("--key", help=f"The team's key; else that of {KEY_VARIABLE}, else it is asked for.")


@click.command(epilog="Example: mibench shared-task register rounds/2030 my-team --contact a@example.org")
@_folder
@click.argument("team", metavar="TEAM")
@click.option("--contact", required=True, help="Where the team is reached; never published.")
@click.option("--renew", is_flag=True, help="Give a team that is registered a new key; the old one is void.")
@json_option
def register(folder: Path, *, team: str, contact: str, renew: bool, as_json: bool) -> None:
    """Register TEAM and print its key, which is shown this once and kept nowhere."""
    opened(folder)
    key = state_of(folder).register(team, contact, renew=renew)
    if as_json:
        print_json({"team": team, "key": key})
        return
    click.echo(plain(f"The key of {team}, shown this once: {key}"))


@click.command(epilog=_ADD)
@_folder
@click.argument("submission", metavar="SUBMISSION", type=click.Path(path_type=Path))
@_key
@click.option("--sealed", metavar="MANIFEST", help="The manifest that was published before, which this has to equal.")
@json_option
@click.pass_context
def add(
    context: click.Context, /, folder: Path, submission: Path, *, key: str | None, sealed: str | None, as_json: bool
) -> None:
    """Take a SUBMISSION in, a folder or an archive: copy it, give it a number, and check it as teams do at home."""
    from mibench.cli.submit_report import print_report
    from mibench.intake.report_text import values_of
    from mibench.shared_task.folder import RoundFolder

    rules, state = opened(folder), state_of(folder)
    entry, report = state.hand_in(submission, team_key(key), check_of(RoundFolder(folder), rules, sealed))
    left = quota_left(rules, state, entry.team)
    if as_json:
        values = {"entry": entry.id, "state": entry.state.value, "quota_left": left}
        print_json(values | {"report": values_of(report)})
    else:
        print_report(report, "text")
        of = f"{left} of {rules.limits.valid_per_week} valid submissions in seven days left"
        click.echo(plain(f"Entry {entry.id} is {entry.state}; {entry.team} has {of}."))
    context.exit(0 if report.passed else 1)


@click.command(epilog="Example: mibench shared-task withdraw rounds/2030 3")
@_folder
@_number
@_key
@json_option
def withdraw(folder: Path, *, number: int, key: str | None, as_json: bool) -> None:
    """Take an ENTRY back; one that was not scored no longer counts for the team's quota."""
    rules, state = opened(folder), state_of(folder)
    entry = state.withdraw(number, team_key(key))
    left = quota_left(rules, state, entry.team)
    if as_json:
        print_json({"entry": entry.id, "state": entry.state.value, "quota_left": left})
        return
    click.echo(plain(f"Entry {entry.id} is {entry.state}; {left} of {rules.limits.valid_per_week} are left."))


@click.command(epilog="Example: mibench shared-task nominate rounds/2030 3")
@_folder
@_number
@_key
@json_option
def nominate(folder: Path, *, number: int, key: str | None, as_json: bool) -> None:
    """Have an ENTRY scored on the final split, in place of others of the team in one of its tracks."""
    opened(folder)
    state = state_of(folder)
    entry = state.nominate(number, team_key(key))
    own = [one.id for one in state.entries(entry.team) if one.nominated]
    if as_json:
        print_json({"entry": entry.id, "nominated": own})
        return
    click.echo(plain(f"Entry {entry.id} is nominated; of {entry.team}: {', '.join(map(str, own))}."))


def team_key(given: str | None) -> str:
    """Return the team's key: given, of the environment, or asked for without showing it.

    Raises:
        UsageError: There is none, and nobody to ask.
    """
    from mibench.core.errors import UsageError

    key = given or os.environ.get(KEY_VARIABLE) or ""
    if not key and sys.stdin.isatty():
        key = click.prompt("Team key", hide_input=True, err=True)
    if not key.strip():
        do = f"Set {KEY_VARIABLE}, or give --key."
        raise UsageError("There is no team key.", why="It shows whose submission it is.", do=do)
    return str(key).strip()


def check_of(folder: RoundFolder, rules: Round, sealed: str | None = None) -> Callable[[Path], Report]:
    """Return the check of a round's submissions: the one that teams run at home with ``--round``.

    Args:
        folder: The organiser's folder.
        rules: The round.
        sealed: Manifest that was published while the artifacts were sealed; None: none was.
    """
    from mibench.intake.check import Asked, check_submission
    from mibench.shared_task.opening import model_folders

    published = None if sealed is None else Path(sealed)
    asked = Asked(rules=rules.rules(), folders=model_folders(folder), fetch=True, round=rules, published=published)
    return partial(check_submission, asked=asked)


def quota_left(rules: Round, state: RoundState, team: str) -> int:
    """Return how many valid submissions a team may still hand in within these seven days."""
    used = next((one.in_seven_days for one in state.summary().teams if one.team == team), 0)
    return max(0, rules.limits.valid_per_week - used)
