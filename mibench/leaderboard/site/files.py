"""All files of the site: small ones at hand, those that cost something as pictures to be made when needed."""

from __future__ import annotations

from collections.abc import Sequence

from mibench.core.specs import Track
from mibench.leaderboard.site.assets import assets
from mibench.leaderboard.site.changes_page import changelog, changes, changes_html
from mibench.leaderboard.site.compare_page import compare_html, data_script
from mibench.leaderboard.site.context import SiteContext
from mibench.leaderboard.site.method_page import method_pages
from mibench.leaderboard.site.overview import overview_html
from mibench.leaderboard.site.picture import SiteFile
from mibench.leaderboard.site.record_page import record_pages
from mibench.leaderboard.site.task_page import task_pages
from mibench.leaderboard.site.track_page import track_html
from mibench.leaderboard.view import GroupView


def site_files(groups: Sequence[GroupView], context: SiteContext) -> dict[str, SiteFile]:
    """Return the files of the site by their names, relative to its folder.

    The same groups and context always give the same bytes.

    Args:
        groups: The tables.
        context: What is shown beside them; see `mibench.leaderboard.site.context.site_context`.
    """
    known = changes(changelog())
    found: dict[str, SiteFile] = {
        "index.html": overview_html(groups, known, context),
        **{f"{track.value}.html": track_html(track, _of(track, groups), context) for track in Track},
        "compare.html": compare_html(context),
        "changes.html": changes_html(groups, known, context),
        "assets/data.js": data_script(groups, context),
        **assets(),
        **dict(method_pages(groups, context)),
        **dict(task_pages(groups, context)),
    }
    return found | {one.name: one for one in record_pages(groups, context)}


def _of(track: Track, groups: Sequence[GroupView]) -> list[GroupView]:
    return [view for view in groups if view.group.track is track]
