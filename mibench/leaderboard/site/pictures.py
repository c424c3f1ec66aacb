"""Pictures of tables that matplotlib draws, each for light and for dark pages; curves are drawn by the pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from mibench.core.hashing import digest
from mibench.core.specs import Track
from mibench.leaderboard.site.curve import Drawing, drawing
from mibench.leaderboard.site.marks import is_private
from mibench.leaderboard.site.picture import Picture
from mibench.leaderboard.sites import map_of
from mibench.leaderboard.view import MAX_CURVES, GroupView, RowView
from mibench.plots.style import Theme

THEMES: tuple[Theme, ...] = ("light", "dark")
_DIGITS = 10
Pair = tuple[Picture, ...]
"""One picture for light pages, and one for dark ones."""


def charts(view: GroupView) -> list[tuple[str, Drawing]]:
    """Return the curves of a table's best rows, by ranking."""
    found = [(name, drawing(dict(islice(lines.items(), MAX_CURVES)))) for name, lines in view.curves.items()]
    return [(name, one) for name, one in found if one is not None]


def pictures_of(view: GroupView) -> list[Pair]:
    """Return the maps of the best rows of a table of the variable track; of several seeds, that of the first."""
    return list(_maps(view)) if view.group.track is Track.VARIABLE else []


def _maps(view: GroupView) -> Iterator[Pair]:
    for row in view.rows[:MAX_CURVES]:
        first = row.row.entries[0].record
        if row.row.status != "ok" or "examples" not in first.tables or is_private(first):
            continue
        tables = {name: ref.sha256 for name, ref in first.tables.items()}
        yield tuple(_map(view, row, theme, digest(["map", theme, _title(view, row), tables])) for theme in THEMES)


def _map(view: GroupView, row: RowView, theme: Theme, data_digest: str) -> Picture:
    title = _title(view, row)
    name = f"pictures/{view.group.id}-{row.row.id[:_DIGITS]}-{theme}.svg"
    words = f"{title}: map of sites. Its numbers are on the page of the record."
    return Picture(name, words, data_digest, lambda: _drawn(row, title, theme))


def _drawn(row: RowView, title: str, theme: Theme) -> bytes:
    # matplotlib is slow to import, and a board whose pictures are unchanged does not need it.
    from mibench.plots.heat_map import heat_map_picture

    maps = map_of(row.row)
    return _NOTHING if maps is None else heat_map_picture(maps, title, theme=theme).svg()


_NOTHING = b'<svg xmlns="http://www.w3.org/2000/svg" width="200" height="20"><text y="15">no map</text></svg>\n'


def _title(view: GroupView, row: RowView) -> str:
    seeds: Sequence[int] = row.row.seeds
    return f"{row.row.label}{f', seed {seeds[0]}' if len(seeds) > 1 else ''}: {view.group.title}"
