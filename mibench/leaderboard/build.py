"""Records in, leaderboard out: the same records always give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mibench.leaderboard.board import Board, opened
from mibench.leaderboard.manifest import FILE as MANIFEST
from mibench.leaderboard.outputs import SITE, SITE_FILES, TABLE_FILES, site_outputs, table_outputs
from mibench.leaderboard.published import PublishedTable, published_tables
from mibench.leaderboard.view import GroupView
from mibench.leaderboard.warming import warm
from mibench.leaderboard.writing import Folder
from mibench.records.saebench.read import PublishedResult


@dataclass(frozen=True)
class BuildReport:
    """What a build gave.

    Attributes:
        groups: Tables.
        rows: Rows of all tables.
        without_numbers: Rows of failed and skipped cells among them.
        files: Files written, relative to the folder.
        removed: Files of the build before that this one has no more.
        warnings: What kept rows from being compared on the same examples.
    """

    groups: int
    rows: int
    without_numbers: int
    files: tuple[str, ...]
    removed: tuple[str, ...]
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def build(
    records: Path | Sequence[Path],
    out: Path,
    published: Sequence[PublishedResult] = (),
    *,
    kept: Path | None = None,
    site: bool = True,
) -> BuildReport:
    """Write the tables and curves of all records to ``out``, and the site to a folder there.

    All tables are made before anything is written. Files that an earlier build wrote and this one does not are
    removed; a file that no build wrote is never replaced. A picture is drawn again only where what it shows changed.

    Args:
        records: Folder of records, or several; of a cell that several hold, the first with numbers counts. Rows of
            all folders but the first are marked with theirs.
        out: Folder of the leaderboard.
        published: Results of others, which are shown in tables of their own.
        kept: Folder of what earlier builds made of unchanged records; safe to delete. None: all is made anew.
        site: Whether to write the site.

    Raises:
        UsageError: There is no such folder of records, or a file is in the way.
        StoreError: A record is broken, or a file cannot be written.
    """
    if kept is not None:
        warm(records, kept)
    with opened(records, kept) as board:
        return _written(board, out, published_tables(published), site=site)


def _written(board: Board, out: Path, others: Sequence[PublishedTable], *, site: bool) -> BuildReport:
    groups = board.views
    folders = [(Folder(out, TABLE_FILES), table_outputs(groups, others), "")]
    if site:
        folders.append((Folder(out / SITE, SITE_FILES), site_outputs(groups, others), f"{SITE}/"))
    for folder, outputs, _ in folders:
        folder.refuse_foreign(outputs)
    board.save()
    removed = [f"{below}{name}" for folder, outputs, below in folders for name in folder.write(outputs)]
    files = [f"{below}{name}" for _, outputs, below in folders for name in (*sorted(outputs), MANIFEST)]
    board.save()
    return _report(groups, tuple(files), tuple(removed))


def check(
    records: Path | Sequence[Path],
    out: Path,
    published: Sequence[PublishedResult] = (),
) -> list[str]:
    """Return what ``out`` has other than a build of ``records`` would write, one line a file.

    Everything is made anew. Tables are compared byte by byte, pictures by the digest of what they show: their bytes
    depend on matplotlib's version. The site, which is not committed, is left out.

    Raises:
        UsageError: There is no such folder of records.
        StoreError: A record is broken.
    """
    with opened(records) as board:
        return Folder(out, TABLE_FILES).differences(table_outputs(board.views, published_tables(published)))


def views(records: Path | Sequence[Path], kept: Path | None = None) -> list[GroupView]:
    """Return the tables of all records.

    Args:
        records: Folder of records, or several.
        kept: Folder where ranks are kept; None: they are made anew.

    Raises:
        UsageError: There is no such folder of records.
        StoreError: A record is broken.
    """
    with opened(records, ranks=kept) as board:
        return board.views


def _report(groups: Sequence[GroupView], files: tuple[str, ...], removed: tuple[str, ...]) -> BuildReport:
    return BuildReport(
        groups=len(groups),
        rows=sum(each.summary.rows for each in groups),
        without_numbers=sum(each.summary.without_numbers for each in groups),
        files=files,
        removed=removed,
        warnings=tuple(warning for each in groups for warning in each.warnings),
    )
