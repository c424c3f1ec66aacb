"""`mibench records`: fetch published records with their tables, and make a folder of them smaller."""

from __future__ import annotations

from pathlib import Path

import click

from mibench.cli.report import print_json
from mibench.core.errors import UsageError
from mibench.core.files import check_name

_MIB = 2**20
_json = click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")


@click.group()
def records() -> None:
    """Fetch published records, or make a folder of records smaller."""


@records.command("pull")
@click.argument("source")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder of the records.")
@_json
def pull_command(source: str, out: Path, *, as_json: bool) -> None:
    """Copy the records of SOURCE with their tables to a folder, each checked by its digest.

    SOURCE is a folder, or a data set of the hub at a commit: hub:ORG/NAME@COMMIT, or hub:ORG/NAME@COMMIT/FOLDER. A
    record that is there already with numbers stays. `mibench run --baseline` and `--against` then use them.
    """
    from mibench.cli.record_sources import folder_of
    from mibench.records.copying import copy_records
    from mibench.records.store import Store

    check_name(out)
    done = copy_records(Store(folder_of(source)), Store(out))
    if as_json:
        print_json({"new": list(done.new), "kept": list(done.kept), "without_artifact": list(done.without_artifact)})
        return
    bare = f", {len(done.without_artifact)} without their artifact" if done.without_artifact else ""
    click.echo(f"{len(done.new)} records fetched{bare}, {len(done.kept)} were there: {out}")


@records.command("slim")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--max-artifact-mb", default=1.0, show_default=True, help="Leave larger artifacts out.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder that the smaller records go to.")
@click.option("--in-place", is_flag=True, help="Change FOLDER itself.")
@_json
def slim_command(folder: Path, max_artifact_mb: float, out: Path | None, *, in_place: bool, as_json: bool) -> None:
    """Write the tables of FOLDER's records again, tighter, and leave large artifacts out.

    No number changes. A record keeps the digest of an artifact that is left out, and `mibench reproduce` makes it
    again; artifacts that were handed in stay, since nothing makes them again.
    """
    from mibench.records.slim import slim_records
    from mibench.records.store import Store

    if (out is None) == (not in_place):
        raise UsageError("It is not clear where to.", why="Give one of --out and --in-place.", do="Choose one.")
    if not folder.is_dir() or not max_artifact_mb >= 0:
        why = "It is no folder." if not folder.is_dir() else f"--max-artifact-mb is {max_artifact_mb}."
        raise UsageError(f"{folder} cannot be made smaller.", why=why, do="Give a folder of records, and a size.")
    target = Store(folder if out is None else out)
    done = slim_records(Store(folder), target, max_artifact_bytes=int(min(max_artifact_mb, 2**30) * _MIB))
    if as_json:
        print_json(done.as_dict())
        return
    click.echo(
        f"{done.records} records, {done.bytes_before / 1e6:.1f} MB to {done.bytes_after / 1e6:.1f} MB: "
        f"{done.tables} tables written again, {done.dropped} artifacts left out"
    )
    if done.handed_in:
        click.echo(f"{done.handed_in} larger artifacts stay, since they were handed in.")
    if done.confirmed:
        click.echo(f"{done.confirmed} records keep their tables, since confirmations name their digests.")


command = records
