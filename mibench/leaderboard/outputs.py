"""What a build writes: tables and curves, which are committed, and the site, which is not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from mibench.core.hashing import digest
from mibench.core.version import code_digest
from mibench.leaderboard.exports.board_json import json_table
from mibench.leaderboard.family_tables import FILE as FAMILIES
from mibench.leaderboard.family_tables import families_csv
from mibench.leaderboard.published import FILE as PUBLISHED
from mibench.leaderboard.published import PublishedTable, published_csv
from mibench.leaderboard.site.context import site_context
from mibench.leaderboard.site.files import site_files
from mibench.leaderboard.site.picture import Picture, SiteFile
from mibench.leaderboard.tables import csv_table, markdown_page
from mibench.leaderboard.view import MAX_CURVES, GroupView

if TYPE_CHECKING:
    from mibench.records.record import CurvePoint

MARKDOWN, CSV, JSON = "leaderboard.md", "leaderboard.csv", "leaderboard.json"
SITE = "site"
"""Folder of the site, in that of the tables."""

TABLE_FILES = re.compile(
    r"leaderboard\.(md|csv|json)|(families|published)\.csv|index\.html|(curves|sites)/[a-z0-9-]+\.svg"
)
"""Every file that a build may write beside the site, or that builds of earlier versions wrote."""
SITE_FILES = re.compile(r"([a-z]+/)?[a-z0-9-]+\.(html|css|js|svg)")
"""Every file of a site."""

_DOWNLOADS = {"CSV": f"../{CSV}", "JSON": f"../{JSON}", "Markdown": f"../{MARKDOWN}"}


def table_outputs(groups: Sequence[GroupView], others: Sequence[PublishedTable]) -> dict[str, SiteFile]:
    """Return tables, and the curves of the circuit track, by file name.

    Args:
        groups: The tables.
        others: Tables of what others published.
    """
    found: dict[str, SiteFile] = {
        MARKDOWN: markdown_page(groups, others),
        CSV: csv_table(groups),
        JSON: json_table(groups),
    }
    families = families_csv(groups)
    found |= {} if families is None else {FAMILIES: families}
    found |= {PUBLISHED: published_csv(others)} if others else {}
    return found | {one.name: one for view in groups for one in _curves(view)}


def site_outputs(groups: Sequence[GroupView], others: Sequence[PublishedTable]) -> dict[str, SiteFile]:
    """Return the files of the site by name, which links to the tables in the folder above it."""
    return site_files(groups, site_context(groups, others, _DOWNLOADS))


def _curves(view: GroupView) -> Iterator[Picture]:
    for ranking, words, shows in view.memory.recall_json("curves", lambda: list(_told(view)), code_digest("plots")):
        draw = partial(_drawn, view, ranking, shows)
        yield Picture(f"curves/{view.group.id}-{ranking}.svg", words, shows, draw)


def _told(view: GroupView) -> Iterator[tuple[str, str, str]]:
    """Ranking, words and digest of what is shown, of each picture."""
    title = view.group.title
    for ranking, lines in view.curves.items():
        best = _best(lines)
        shown = {label: [point.model_dump(mode="json") for point in points] for label, points in best.items()}
        shows = digest([code_digest("plots"), title, ranking, list(shown), shown])
        yield ranking, f"Faithfulness by circuit size, {ranking} ranking, {title}", shows


def _best(lines: dict[str, list[CurvePoint]]) -> dict[str, list[CurvePoint]]:
    return dict(islice(lines.items(), MAX_CURVES))


def _drawn(view: GroupView, ranking: str, shows: str) -> bytes:
    def make() -> str:
        # matplotlib is slow to import, and most builds draw nothing.
        from mibench.plots.curves import faithfulness_svg

        return faithfulness_svg(_best(view.curves[ranking]), view.group.title, ranking).decode()

    return view.memory.recall(f"curve/{ranking}", make, shows).encode()
