"""Names of the site's pages, relative to its folder: made of slugs and digests, never of names as they are."""

from __future__ import annotations

from mibench.core.hashing import digest
from mibench.core.specs import Track
from mibench.leaderboard.rows import Group
from mibench.leaderboard.text import slug

TITLES = {Track.CIRCUIT: "Circuits", Track.VARIABLE: "Causal variables", Track.SAE: "Sparse dictionaries"}
"""What a track is called on the pages."""
CONVENTIONS = {"mibench": "mibench (strict)", "mib": "MIB", "saebench": "SAEBench"}
"""What conventions are called on the pages."""
CONVENTION_DOCS = {
    "mibench": "mibench's own definitions",
    "mib": "computed by the rules of MIB's code, mistakes included, to compare with its board",
    "saebench": "computed by the rules of SAEBench's code, mistakes included",
}
"""What conventions are."""


def track_page(track: Track) -> str:
    """Return the page of a track."""
    return f"{track.value}.html"


def group_link(group: Group) -> str:
    """Return the place of a table on its track's page."""
    return f"{track_page(group.track)}#{group.id}"


def record_page(cell_id: str) -> str:
    """Return the page of a record."""
    return f"records/{cell_id}.html"


def method_page(name: str) -> str:
    """Return the page of a method."""
    return f"methods/{_file(name)}.html"


def task_page(name: str) -> str:
    """Return the page of a task."""
    return f"tasks/{_file(name)}.html"


def _file(name: str) -> str:
    """A file name that no other name has; what is a slug already stays as it is."""
    short = slug(name)
    return short if short == name else f"{short}-{digest(name)[:8]}"
