"""A site from records, its pages parsed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

from mibench.leaderboard.rows import collect, make_groups
from mibench.leaderboard.site.context import site_context
from mibench.leaderboard.site.files import site_files
from mibench.leaderboard.site.picture import Picture
from mibench.leaderboard.view import GroupView, view
from mibench.records.store import Store

from ..conftest import Shelf, shelf  # noqa: F401, TID252

Tag = tuple[str, dict[str, str | None]]


@dataclass
class Page(HTMLParser):
    """The tags, links, ids and text of a page."""

    html: str
    tags: list[Tag] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def names(self) -> list[str]:
        return [tag for tag, _ in self.tags]

    @property
    def links(self) -> list[str]:
        return [
            each[name] or "" for _, each in self.tags for name in ("href", "src", "action", "srcset") if name in each
        ]

    @property
    def ids(self) -> list[str]:
        return [each["id"] or "" for _, each in self.tags if "id" in each]


def views_of(store: Store) -> list[GroupView]:
    return [view(group) for group in make_groups(collect([store]))]


def site_of(store: Store, published: Sequence = ()) -> dict[str, str]:
    """The files of a site by name, everything drawn."""
    views = views_of(store)
    made = site_files(views, site_context(views, published, {"CSV": "../leaderboard.csv"}))
    return {name: (one.draw() if isinstance(one, Picture) else one).decode() for name, one in made.items()}


def pages_of(shelf: Shelf) -> dict[str, Page]:  # noqa: F811
    return {name: Page(text) for name, text in site_of(shelf.store).items() if name.endswith(".html")}
