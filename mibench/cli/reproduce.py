"""``mibench reproduce``: cells of records run again, and compared."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mibench.cli.report import DEFAULT_RECORDS, json_option, plain, print_error, print_json, print_table
from mibench.core.errors import UsageError

if TYPE_CHECKING:
    from mibench.cli.find import Stored
    from mibench.records.difference import Difference
    from mibench.runner.again.reproduce import Reproduction

_EXAMPLE = """Example:

\b
    mibench reproduce 3fa94c --records leaderboard/records
    mibench reproduce leaderboard/records/circuit/ioi/smollm2-135m/eap/*.json --append
    mibench reproduce 3fa94c --model my-model/ --task my-pairs.jsonl --method my.py:grad_norm
    mibench reproduce 81be02 --artifact my-dictionary.safetensors
"""
_SHOWN_DIGITS = 8


@click.command(epilog=_EXAMPLE)
@click.argument("records", nargs=-1, required=True, metavar="RECORD…")
@click.option("--records", "folder", default=DEFAULT_RECORDS, show_default=True, help="Folder to find ids in.")
@click.option("-t", "--task", help="Where the pairs file of records lies whose task is a file.")
@click.option("-m", "--model", help="Where the model of records lies whose model is a folder.")
@click.option("--method", help="The method of records whose method is a user's: file.py:function or 'cmd: …'.")
@click.option(
    "--artifact", help="File of the artifact of records whose artifact was handed in.  [default: beside them]"
)
@click.option("--limit", type=click.IntRange(min=1), help="What the run was told, for dictionaries that do not say.")
@click.option("--device", help="Device of torch.  [default: that of the record]")
@click.option("--append", is_flag=True, help="Add the verdicts to confirmations.jsonl beside the records.")
@click.option("-o", "--out", help="Keep the repeats' records here, with confirmations.jsonl.  [default: thrown away]")
@json_option
@click.pass_context
def command(context: click.Context, /, records: tuple[str, ...], folder: str, **options: Any) -> None:
    """Run the cells of records again, from the records alone, and compare every metric, curve and table.

    RECORD is the path of a record, a folder of records, or the beginning of a cell id in the folder of --records. The
    verdict is match (equal), drift (equal within 0.001, relative), mismatch, or cannot: what fixes the numbers (data,
    model, method, code) is another here. A repeat has as many threads as the record had; what else may move a number
    and is another here (processor, versions of libraries) is told in one line. An artifact that was handed in is taken
    from beside its record, or from --artifact: it has to have the digest that the record says. Exit status 1 if any
    record is not confirmed.
    """
    from mibench.cli.stored_records import stored_records

    found = stored_records(records, folder)
    _check_out(options["out"], found)
    with _out(options["out"]) as out:
        done, written = _reproduce(found, out, options)
        if options["as_json"]:
            print_json({"records": [_as_json(one) for one in done], "confirmations": list(map(str, written))})
        else:
            _print(done, written)
    if not all(one.passed for one in done):
        context.exit(1)


def _check_out(out: str | None, found: Sequence[Stored]) -> None:
    """Refuse a folder whose records would be replaced by the repeats."""
    from mibench.core.files import check_folder, check_name

    if out is None:
        return
    check_name(out)
    check_folder(out)
    if any(one.store.folder.resolve() == Path(out).resolve() for one in found):
        raise UsageError(
            f"The repeats cannot go to {out}.",
            why="The records lie there, and would be replaced.",
            do="Give another folder, or use --append to add the verdicts there.",
        )


@contextlib.contextmanager
def _out(folder: str | None) -> Iterator[Path]:
    if folder is not None:
        yield Path(folder)
        return
    with tempfile.TemporaryDirectory(prefix="mibench-") as temporary:
        yield Path(temporary)


def _reproduce(found: Sequence[Stored], out: Path, options: dict[str, Any]) -> tuple[list[Reproduction], list[Path]]:
    """Run every cell again; each verdict is written as it falls, so that those of a stopped command are kept."""
    from mibench.cli.progress import Show
    from mibench.runner.again.remake import Places
    from mibench.runner.again.reproduce import reproduce

    places = Places(**{name: options[name] for name in ("task", "model", "method", "limit", "artifact", "device")})
    done, written = [], dict[Path, None]()
    with Show(silent=options["as_json"]) as show:
        repeats = reproduce([(one.record, one.store) for one in found], places, out, show)
        for stored, one in zip(found, repeats, strict=True):
            done.append(one)
            written |= dict.fromkeys(_confirm(one, stored, options))
    return done, list(written)


def _confirm(one: Reproduction, stored: Stored, options: dict[str, Any]) -> list[Path]:
    """Write a verdict where it was asked for, and return the files."""
    from mibench.records.confirmation import append_confirmations

    confirmation = one.confirmation
    if confirmation is None:
        return []
    folders = [stored.store.folder] if options["append"] else []
    folders += [Path(options["out"])] if options["out"] is not None else []
    return [append_confirmations(folder, [confirmation]) for folder in folders]


def _print(done: Sequence[Reproduction], written: Sequence[Path]) -> None:
    print_table([_row(one) for one in done], "Reproduced")
    _print_notes(done)
    _print_problems(done)
    for path in written:
        click.echo(f"confirmations: {path}")


def _row(one: Reproduction) -> dict[str, str]:
    cell, largest = one.record.cell, None if one.agreement is None else one.agreement.largest
    return {
        "record": cell.id[:_SHOWN_DIGITS],
        "method": cell.method.name + ("" if cell.method.seed is None else f" seed {cell.method.seed}"),
        "task": cell.task.name,
        "model": cell.model.name,
        "verdict": "cannot be reproduced here" if one.outcome == "cannot" else one.outcome,
        "largest difference": "" if largest is None else _size(largest.difference),
        "where": "" if largest is None else largest.where,
    }


def _size(difference: float | None) -> str:
    return "no number" if difference is None else f"{difference:.2g}"


def _print_problems(done: Sequence[Reproduction]) -> None:
    """What could not be reproduced, each reason once; before it, a line for everything that is another here."""
    reasons: dict[tuple[str, ...], list[Reproduction]] = {}
    for one in done:
        if one.problem is not None:
            told = map(_words, one.differences)
            reasons.setdefault((one.problem.why, one.problem.do, *told), []).append(one)
    for (_, _, *lines), ones in reasons.items():
        names = [f"{one.record.cell.method.name} ({one.record.cell.id[:_SHOWN_DIGITS]})" for one in ones]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        click.echo(f"\ncannot be reproduced here: {', '.join(names[:3])}{more}", err=True)
        for line in lines:
            click.echo(plain(line), err=True)
        if ones[0].problem is not None:
            print_error(ones[0].problem)


def _words(difference: Difference) -> str:
    from mibench.runner.again.reproduce import meaning

    return f"{meaning(difference)}: {difference.where} {_brief(difference.first)} → {_brief(difference.second)}"


def _print_notes(done: Sequence[Reproduction]) -> None:
    """What was not compared, and what is another here than where the records were made; each line once."""
    lines: dict[str, list[str]] = {}
    for one in done:
        name = one.record.cell.id[:_SHOWN_DIGITS]
        if one.agreement is not None and one.agreement.left_out:
            left = ", ".join(one.agreement.left_out)
            lines.setdefault(f"not compared, since their formulas have other versions now: {left}", []).append(name)
        lines.setdefault(_settings(one), []).append(name)
    for line, names in lines.items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        click.echo(plain(f"note: {', '.join(names[:3])}{more}: {line}"))


def _settings(one: Reproduction) -> str:
    """In one line: threads of the repeat, and what may move a number and is another here."""
    if one.record.volatile.provenance is None:
        return "the record does not say where it was made"
    repeated = "" if one.threads is None else f"repeated with {one.threads} thread{'s' * (one.threads != 1)}; "
    apart = "; ".join(f"{each.where} {_brief(each.first)} → {_brief(each.second)}" for each in one.apart)
    same = "same threads, library versions and processor as where it was made"
    return repeated + (f"other here than where it was made: {apart}" if apart else same)


def _brief(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _as_json(one: Reproduction) -> dict[str, Any]:
    largest = None if one.agreement is None else one.agreement.largest
    problem = one.problem
    return {
        "id": one.record.cell.id,
        "verdict": one.outcome,
        "difference": None if largest is None else largest.difference,
        "where": None if largest is None else largest.where,
        "not_compared": [] if one.agreement is None else list(one.agreement.left_out),
        "differences": [_sides(each) for each in one.differences],
        "threads": one.threads,
        "settings": [_sides(each) for each in one.apart],
        "problem": None if problem is None else {"what": problem.what, "why": problem.why, "do": problem.do},
    }


def _sides(one: Difference) -> dict[str, Any]:
    return {"where": one.where, "record": one.first, "here": one.second}
