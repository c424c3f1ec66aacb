"""What rows of the variable track have besides numbers: the chosen site, and the map of all sites."""

from __future__ import annotations

from collections import Counter

from mibench.core.errors import DataError, StoreError
from mibench.core.sites import Site
from mibench.core.specs import Track
from mibench.leaderboard.rows import Row
from mibench.leaderboard.text import plain
from mibench.metrics.bootstrap import Resampling
from mibench.metrics.variable.maps import SiteMaps, site_maps
from mibench.metrics.variable.tables import VariableTables

_RESAMPLING = Resampling(resamples=1000)


def chosen_sites(row: Row) -> list[str]:
    """Return the names of the groups that validation chose, one a seed, as far as their tables can be read."""
    found = []
    for entry in row.entries if row.status == "ok" else ():
        try:
            table = entry.store.table(entry.record, "selection")
            found += [str(name) for name in table.loc[table["chosen"].astype(bool), "group"]]
        except (StoreError, KeyError, ValueError):
            continue
    return found


def brief(groups: list[str]) -> str:
    """Return layers, heads and positions of groups, each once, with how often it was chosen: ``L12 last (2 of 3)``."""
    often = Counter(" + ".join(_brief(name) for name in group.split(" + ")) for group in groups)
    told = [name if len(groups) == often[name] else f"{name} ({often[name]} of {len(groups)})" for name in often]
    return plain(", ".join(told))


def map_of(row: Row) -> SiteMaps | None:
    """Return the map of a row's first seed; None where it has none."""
    entry = row.entries[0]
    if row.status != "ok" or entry.record.cell.track is not Track.VARIABLE:
        return None
    try:
        return site_maps(VariableTables.stored(entry.record, entry.store), _RESAMPLING)
    except (DataError, StoreError):
        return None


def _brief(name: str) -> str:
    try:
        site = Site.parse(name)
    except DataError:
        return name
    head = "" if site.head is None else f".H{site.head}"
    return f"L{site.layer}{head} {site.position}"
