"""What the site shows besides the tables: repeats, published results, files to download."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

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

    def about(self, view: GroupView) -> dict[str, Any]:
        """Return the repeats of a table's records, for JSON."""
        found = ((name, self.confirmations[name]) for name in view.summary.records if name in self.confirmations)
        return {name: [one.model_dump(mode="json") for one in known] for name, known in found}


def site_context(
    groups: Sequence[GroupView],
    published: Sequence[PublishedTable] = (),
    downloads: Mapping[str, str] = MappingProxyType({}),
) -> SiteContext:
    """Return the context of groups: the confirmations that lie beside their records are read.

    Raises:
        StoreError: A file of confirmations is broken.
    """
    found: dict[str, list[Confirmation]] = defaultdict(list)
    for folder in sorted({folder for view in groups for folder in view.summary.folders}):
        for one in read_confirmations(Path(folder)):
            found[one.record].append(one)
    return SiteContext(tuple(published), dict(found), downloads)
