"""What ``mibench shared-task`` prints, and how it finds a round."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mibench.cli.report import plain, print_json, print_table

if TYPE_CHECKING:
    from mibench.intake.failures import Failure
    from mibench.intake.round import Round
    from mibench.shared_task.entries import Entry
    from mibench.shared_task.state import RoundState


def opened(folder: Path) -> Round:
    """Return the rules of an open round.

    Raises:
        RoundError: There is none in the folder.
        DataError: They cannot be read.
    """
    from mibench.core.errors import RoundError
    from mibench.core.files import is_file
    from mibench.intake.round import read_round
    from mibench.shared_task.folder import RoundFolder

    path = RoundFolder(folder).round_file
    if not is_file(path):
        do = "Check the folder, or open it: mibench shared-task open FOLDER."
        raise RoundError(f"{str(folder)[:200]} holds no open round.", why=f"There is no {path.name}.", do=do)
    return read_round(path)


def state_of(folder: Path) -> RoundState:
    """Return the state of the round in a folder."""
    from mibench.shared_task.folder import RoundFolder
    from mibench.shared_task.state import RoundState

    return RoundState(RoundFolder(folder))


def print_failures(failures: Sequence[Failure], *, as_json: bool) -> None:
    """Print what is wrong with the rules of a round."""
    from dataclasses import asdict

    if as_json:
        print_json({"failures": [asdict(one) for one in failures]})
        return
    for number, one in enumerate(failures, start=1):
        click.secho(plain(f"{number}. {one.what}"), fg="red")
        click.echo(plain(f"   why: {one.why}"))
        click.echo(plain(f"   do:  {one.do}"))
    click.echo(f"The round is not open: {len(failures)} failure{'s' * (len(failures) != 1)}.")


def status_values(rules: Round, state: RoundState, *, audited: bool) -> dict[str, Any]:
    """Return how a round stands, as JSON values; none of them is private."""
    found = state.summary()
    return {
        "round": rules.name,
        "deadline": rules.deadline.isoformat(),
        "closed": found.closed,
        "entries_handed_in": found.handed_in,
        "states": dict(found.states),
        "final_states": dict(found.final_states),
        "entries": [_entry(one) for one in state.entries()],
        "teams": [one.team for one in found.teams],
        "audit": {"head": found.audit_head, "lines": len(state.audit()), "checked": audited},
    }


def print_status(values: dict[str, Any]) -> None:
    """Print how a round stands."""
    when = "closed" if values["closed"] else f"open until {values['deadline']}"
    counts = ", ".join(f"{count} {name}" for name, count in values["states"].items()) or "none yet"
    n_teams = len(values["teams"])
    click.echo(plain(f"{values['round']}: {when}; {n_teams} team{'s' * (n_teams != 1)}; entries: {counts}."))
    if values["final_states"]:
        click.echo("final: " + ", ".join(f"{count} {name}" for name, count in values["final_states"].items()) + ".")
    rows = [_line(one) for one in values["entries"]]
    if rows:
        print_table(rows)
    audit = values["audit"]
    checked = ", whole, and it gives what is shown" if audit["checked"] else ""
    click.echo(f"audit log: {audit['lines']} lines{checked}; head {audit['head']}")


def _entry(one: Entry) -> dict[str, Any]:
    return {
        "entry": one.id,
        "team": one.team,
        "method": one.method,
        "version": one.version,
        "tracks": [track.value for track in one.tracks],
        "handed_in": one.handed_in.isoformat(),
        "state": one.state.value,
        "reason": one.reason,
        "nominated": one.nominated,
        "final_state": None if one.final_state is None else one.final_state.value,
        "final_reason": one.final_reason,
        "supersedes": one.supersedes,
        "sha256": one.sha256,
    }


def _line(one: dict[str, Any]) -> dict[str, Any]:
    """One row of the table."""
    final = f"nominated; {one['final_state']}" if one["final_state"] else "nominated" if one["nominated"] else ""
    return {
        "entry": one["entry"],
        "team": one["team"],
        "method": f"{one['method']}@{one['version']}" if one["method"] else "",
        "state": one["state"],
        "final": final,
        "reason": one["final_reason"] or one["reason"] or "",
        "when": one["handed_in"][:16].replace("T", " "),
    }
