"""Parts of pages that are about one table: those of an unchanged table are not rendered again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from markupsafe import Markup

from mibench.leaderboard.site.context import SiteContext
from mibench.leaderboard.view import GroupView


class Recalled(Protocol):
    """What a template calls: ``{% call kept(view) %}…{% endcall %}``."""

    def __call__(self, view: GroupView, part: str = "", *, caller: Callable[[], Any]) -> Markup:
        """Return the block, as it was rendered before where nothing it shows has changed."""


def recalled(page: str, context: SiteContext) -> Recalled:
    """Return a callable for a template, to go around a block that depends on one table and the context alone.

    Args:
        page: Name that no other block has.
        context: What is shown beside the tables.
    """

    def kept(view: GroupView, part: str = "", *, caller: Callable[[], Any]) -> Markup:
        text = view.memory.recall(f"{page}/{part}", lambda: str(caller()), context.about(view))
        # It was rendered with everything in it escaped.
        return Markup(text)  # noqa: S704

    return kept
