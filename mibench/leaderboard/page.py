"""The page: one HTML file with its style inside, no script, and pictures beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mibench.leaderboard import notes
from mibench.leaderboard.columns import COSTS
from mibench.leaderboard.family_view import FACTS
from mibench.leaderboard.published import READING_PUBLISHED, PublishedTable
from mibench.leaderboard.view import MAX_CURVES, GroupView

TEMPLATES = Path(__file__).parent / "templates"


def html_page(
    groups: Sequence[GroupView],
    pictures: Mapping[str, Sequence[tuple[str, str]]],
    published: Sequence[PublishedTable] = (),
) -> bytes:
    """Return the page.

    Args:
        groups: The tables, in order.
        pictures: By group id, what each picture shows in words, and its relative path.
        published: Tables of what others published.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    template = environment.get_template("index.html.jinja")
    return template.render(
        groups=groups,
        pictures=pictures,
        costs=COSTS,
        identity=notes.identity,
        family_facts=FACTS,
        published=published,
        reading=READING_PUBLISHED.replace("*", ""),
        max_curves=MAX_CURVES,
        tracks={each.group.track.value for each in groups},
    ).encode()
