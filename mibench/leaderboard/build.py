"""Records in, leaderboard out: the same records always give the same bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from mibench.core.errors import UsageError
from mibench.core.files import atomic_write, read_text
from mibench.leaderboard.family_tables import FILE as FAMILIES
from mibench.leaderboard.family_tables import families_csv
from mibench.leaderboard.published import FILE as PUBLISHED
from mibench.leaderboard.published import published_csv, published_tables
from mibench.leaderboard.rows import collect, make_groups
from mibench.leaderboard.site.context import site_context
from mibench.leaderboard.site.files import site_files
from mibench.leaderboard.site.picture import Picture
from mibench.leaderboard.sites import map_of
from mibench.leaderboard.sparsity import with_l0
from mibench.leaderboard.tables import csv_table, markdown_page
from mibench.leaderboard.view import MAX_CURVES, GroupView, view
from mibench.records.saebench.read import PublishedResult
from mibench.records.store import Store

MANIFEST = "build.json"
TABLES = ("leaderboard.md", "leaderboard.csv")
SITE = "site"
"""Folder of the site, in that of the tables; it is made by every build, and not compared."""
_OURS = re.compile(
    r"leaderboard\.(md|csv)|(families|published)\.csv|index\.html|(curves|sites)/[a-z0-9-]+\.svg"
    r"|site/([a-z]+/)?[a-z0-9-]+\.(html|css|js|svg)"
)


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


def build(records: Path | Sequence[Path], out: Path, published: Sequence[PublishedResult] = ()) -> BuildReport:
    """Write the tables and curves of all records to ``out``, and the site to a folder there.

    Everything is made before anything is written. Files that an earlier build wrote and this one does not are
    removed; a file that no build wrote is never replaced.

    Args:
        records: Folder of records, or several; of a cell that several hold, the first with numbers counts.
        out: Folder of the leaderboard.
        published: Results of others, which are shown in tables of their own.

    Raises:
        UsageError: There is no such folder of records, or a file is in the way.
        StoreError: A record is broken, or a file cannot be written.
    """
    groups = _views(records)
    outputs = _render(groups, published) | _site(groups, published)
    before = _listed(out)
    _refuse_foreign(out, outputs, before)
    # Listed before it is written, so that a build that was killed still knows its files.
    _write_manifest(out, {*outputs, *before})
    for name, content in outputs.items():
        atomic_write(out / name, content)
    removed = tuple(sorted(before - outputs.keys()))
    for name in removed:
        (out / name).unlink(missing_ok=True)
    _write_manifest(out, set(outputs))
    return _report(groups, (*sorted(outputs), MANIFEST), removed)


def check(records: Path | Sequence[Path], out: Path, published: Sequence[PublishedResult] = ()) -> list[str]:
    """Return what ``out`` has other than a build of ``records`` would write, one line a file.

    Tables are compared byte by byte. Pictures only have to be there: their bytes depend on matplotlib's version.
    The site is left out.

    Raises:
        UsageError: There is no such folder of records.
        StoreError: A record is broken.
    """
    outputs = _render(_views(records), published)
    missing = [f"{name}: missing" for name in sorted(outputs) if not (out / name).is_file()]
    differing = [
        f"{name}: differs from what the records give"
        for name in (*TABLES, FAMILIES, PUBLISHED)
        if name in outputs and (out / name).is_file() and (out / name).read_bytes() != outputs[name]
    ]
    known = {name for name in _listed(out) if not name.startswith(f"{SITE}/")}
    stale = [f"{name}: no longer made" for name in sorted(known - outputs.keys()) if (out / name).is_file()]
    return missing + differing + stale


def _views(records: Path | Sequence[Path]) -> list[GroupView]:
    folders = [records] if isinstance(records, Path) else list(records)
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(
                f"There is no folder of records at {folder}.",
                why="The leaderboard is made from records.",
                do="Give the folder that `mibench run --out` wrote.",
            )
    return [view(group) for group in make_groups(with_l0(collect(map(Store, folders))))]


@dataclass(frozen=True)
class _Drawing:
    """A picture of a group: its file, what it shows in words, its content."""

    name: str
    words: str
    content: bytes


def _render(groups: Sequence[GroupView], published: Sequence[PublishedResult]) -> dict[str, bytes]:
    drawings = {each.group.id: [*_curves(each), *_maps(each)] for each in groups}
    others = published_tables(published)
    contents = markdown_page(groups, others), csv_table(groups)
    files = {one.name: one.content for drawn in drawings.values() for one in drawn}
    families = families_csv(groups)
    files |= {} if families is None else {FAMILIES: families}
    files |= {PUBLISHED: published_csv(others)} if others else {}
    return dict(zip(TABLES, contents, strict=True)) | files


def _site(groups: Sequence[GroupView], published: Sequence[PublishedResult]) -> dict[str, bytes]:
    """The files of the site, below the folder of the tables, to which it links."""
    downloads = {"CSV": "../leaderboard.csv", "Markdown": "../leaderboard.md"}
    made = site_files(groups, site_context(groups, published_tables(published), downloads))
    return {f"{SITE}/{name}": one.draw() if isinstance(one, Picture) else one for name, one in made.items()}


def _curves(group: GroupView) -> Iterator[_Drawing]:
    curves = group.curves
    if not curves:
        return
    # matplotlib is slow to import, and a board without curves does not need it.
    from mibench.plots.curves import faithfulness_svg

    title = group.group.title
    for ranking, lines in curves.items():
        best = dict(islice(lines.items(), MAX_CURVES))
        words = f"Faithfulness by circuit size, {ranking} ranking, {title}"
        yield _Drawing(f"curves/{group.group.id}-{ranking}.svg", words, faithfulness_svg(best, title, ranking))


def _maps(group: GroupView) -> Iterator[_Drawing]:
    """Yield the maps of the best rows of the variable track; of several seeds, that of the first."""
    for each in group.rows[:MAX_CURVES]:
        maps = map_of(each.row)
        if maps is None:
            continue
        from mibench.plots.heat_map import heat_map_picture

        seed = f", seed {each.row.seeds[0]}" if len(each.row.seeds) > 1 else ""
        title = f"{each.row.label}{seed}: {group.group.title}"
        name = f"sites/{group.group.id}-{each.row.id[:10]}.svg"
        yield _Drawing(name, f"{title}. {maps.words}", heat_map_picture(maps, title).svg())


def _listed(out: Path) -> set[str]:
    """Return the files that an earlier build says it wrote; names that no build gives are ignored."""
    path = out / MANIFEST
    if not path.is_file():
        return set()
    try:
        listed = json.loads(read_text(path))
    except (ValueError, RecursionError):
        return set()
    names = listed.get("outputs") if isinstance(listed, dict) else None
    return {name for name in names or () if isinstance(name, str) and _OURS.fullmatch(name)}


def _write_manifest(out: Path, names: set[str]) -> None:
    text = json.dumps({"made_by": "mibench leaderboard build", "outputs": sorted(names)}, indent=2)
    atomic_write(out / MANIFEST, f"{text}\n")


def _refuse_foreign(out: Path, outputs: Mapping[str, bytes], before: set[str]) -> None:
    for name, content in outputs.items():
        path = out / name
        if name not in before and path.exists() and (not path.is_file() or path.read_bytes() != content):
            raise UsageError(
                f"{path} is in the way.",
                why=f"It is not listed in {out / MANIFEST}, so no build of the leaderboard wrote it.",
                do="Move it away, or choose another folder with --out.",
            )


def _report(groups: Sequence[GroupView], files: tuple[str, ...], removed: tuple[str, ...]) -> BuildReport:
    rows = [row for each in groups for row in each.rows]
    return BuildReport(
        groups=len(groups),
        rows=len(rows),
        without_numbers=sum(row.row.status != "ok" for row in rows),
        files=files,
        removed=removed,
        warnings=tuple(warning for each in groups for warning in each.warnings),
    )
