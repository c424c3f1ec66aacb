"""A file of the site that costs something to make, so that it is made only where what it shows has changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Picture:
    """A picture, or a page that needs tables to be read.

    Attributes:
        name: Path below the folder of the site.
        words: What it shows, for those who do not see it.
        data_digest: Digest of everything it is made from; equal digests give the same picture.
        draw: Makes its bytes.
    """

    name: str
    words: str
    data_digest: str
    draw: Callable[[], bytes] = field(repr=False, compare=False)


SiteFile = bytes | Picture
"""A small file at hand, or one to make when it is needed."""
