"""What the site shows besides the tables: repeats, published results, files to download."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from mibench.leaderboard.published import PublishedTable
from mibench.leaderboard.site.marks import Confirmations
from mibench.leaderboard.view import GroupView
from mibench.records.confirmation import Confirmation, read_confirmations


@dataclass(frozen=True)
class SiteContext:
    """What the pages need besides the groups.

    Attributes:
        published: Tables of what others published.
        confirmations: Repeats of records, by the id of the cell.
        downloads: Links relative to the folder of the site, by title, such as ``{"CSV": "../leaderboard.csv"}``.
    """

    published: tuple[PublishedTable, ...] = ()
    confirmations: Confirmations = field(default_factory=dict)
    downloads: Mapping[str, str] = field(default_factory=dict)


def site_context(
    groups: Sequence[GroupView],
    published: Sequence[PublishedTable] = (),
    downloads: Mapping[str, str] = MappingProxyType({}),
) -> SiteContext:
    """Return the context of groups: the confirmations that lie beside their records are read.

    Raises:
        StoreError: A file of confirmations is broken.
    """
    entries = [entry for view in groups for row in view.group.rows for entry in row.entries]
    found: dict[str, list[Confirmation]] = defaultdict(list)
    for folder in sorted({entry.store.folder for entry in entries}):
        for one in read_confirmations(folder):
            found[one.record].append(one)
    return SiteContext(tuple(published), dict(found), downloads)
