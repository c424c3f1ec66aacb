"""Known features against latents: cosines in the order of their matching, and how well each feature is recovered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.sae.matching import UNMATCHED, Ints
from mibench.metrics.sae.recovery import RECOVERED
from mibench.plots.sheet import Margins, Sheet, heading, plain_axes, sentences
from mibench.plots.style import INKS, Inks, Picture, Theme, picture

MOST = 240
"""Rows and columns of the matrix at most; of more, a cell shows the largest of a block."""
_PANEL = (3.7, 3.7)


@dataclass(frozen=True, eq=False)
class Recovery:
    """A dictionary held against the truth.

    Attributes:
        latent: One-to-one match of each true feature; `UNMATCHED`: none ``[features]``.
        cosine: Of each match ``[features]``.
        closest: Closest true feature of each latent ``[latents]``.
        closest_cosine: Of these ``[latents]``.
        cosines: All of them ``[latents, features]``; None: only those above are known.
    """

    latent: Ints
    cosine: FloatArray
    closest: Ints
    closest_cosine: FloatArray
    cosines: FloatArray | None = None

    @property
    def feature_order(self) -> Ints:
        """Features, best match first, then those without one."""
        return np.lexsort((np.arange(len(self.latent)), -self.cosine, self.latent == UNMATCHED))

    @property
    def latent_order(self) -> Ints:
        """Latents in the order of the features they match, then the others in that of their closest features."""
        matched = self.latent[self.feature_order]
        matched = matched[matched != UNMATCHED]
        rank = np.empty(len(self.latent), dtype=np.int64)
        rank[self.feature_order] = np.arange(len(self.latent))
        others = np.setdiff1d(np.arange(len(self.closest)), matched)
        return np.concatenate([matched, others[np.lexsort((others, rank[self.closest[others]]))]])

    @property
    def matched(self) -> FloatArray:
        """Cosines of features that have a match, largest first."""
        return np.asarray(np.sort(self.cosine[self.latent != UNMATCHED])[::-1])


def recovery_picture(found: Recovery, title: str, notes: Sequence[str] = (), *, theme: Theme = "light") -> Picture:
    """Draw the matrix, and beside it the matched cosines, sorted and as a histogram.

    Args:
        found: What is drawn.
        title: Heading.
        notes: Sentences for the caption.
        theme: Light or dark.
    """
    inks = INKS[theme]
    sheet = Sheet(title, sentences([_reading(found), *notes]), 2, _PANEL, Margins(left=0.7, right=0.75))
    with picture(sheet.size, inks) as drawing:
        drawing.figure.set_layout_engine("none")
        _draw_matrix(drawing.figure, sheet, found, inks)
        _draw_matched(sheet.axes(drawing.figure, 1), found, inks)
        sheet.write(drawing.figure, inks)
    return drawing


def blocks(found: Recovery) -> FloatArray:
    """The matrix in order ``[features, latents]``, the largest of each block; NaN where no cosine is known."""
    sizes = len(found.latent), len(found.closest)
    rank = [np.empty(size, dtype=np.int64) for size in sizes]
    for places, order, size in zip(rank, (found.feature_order, found.latent_order), sizes, strict=True):
        places[order] = np.arange(size) * min(MOST, size) // size
    made = np.full((min(MOST, sizes[0]), min(MOST, sizes[1])), -np.inf)
    if found.cosines is not None:
        for latent, values in enumerate(found.cosines):  # a row at a time: there may be very many
            np.maximum.at(made[:, rank[1][latent]], rank[0], values)
        return made
    features = np.flatnonzero(found.latent != UNMATCHED)
    np.maximum.at(made, (rank[0][features], rank[1][found.latent[features]]), found.cosine[features])
    np.maximum.at(made, (rank[0][found.closest], rank[1]), found.closest_cosine)
    return np.where(np.isfinite(made), made, np.nan)


def _reading(found: Recovery) -> str:
    largest = max(len(found.latent), len(found.closest))
    told = "Rows are true features, best recovered first; columns are latents in the order of their matches (one-to-one"
    told += ", Hungarian), then latents without a match by their closest feature."
    if largest > MOST:
        told += " A cell is the largest cosine of its block."
    if found.cosines is None:
        told += " Only cosines of matches and of each latent's closest feature are in a record; the rest is left blank."
    return told


def _draw_matrix(figure: Figure, sheet: Sheet, found: Recovery, inks: Inks) -> None:
    axes = sheet.axes(figure, 0)
    colours = LinearSegmentedColormap.from_list("cosine", [inks.paper, inks.positive, inks.ink])
    norm = Normalize(0, 1)
    values = np.ma.masked_invalid(np.clip(blocks(found), 0, 1))
    extent = (0.0, float(max(1, len(found.closest))), float(max(1, len(found.latent))), 0.0)
    axes.imshow(values, cmap=colours, norm=norm, extent=extent, aspect="auto", interpolation="nearest")
    axes.spines[:].set_edgecolor(inks.grey)
    axes.tick_params(labelsize=8, length=2)
    axes.set_xlabel("latents, by match", fontsize=9)
    axes.set_ylabel("true features, by match", fontsize=9)
    heading(axes, "Cosine", f"{len(found.latent):,} features × {len(found.closest):,} latents", inks)
    place = axes.get_position()
    bar = figure.add_axes((place.x1 + 0.012, place.y0, 0.013, place.height))
    figure.colorbar(ScalarMappable(norm, colours), cax=bar)
    bar.spines[:].set_visible(False)
    bar.tick_params(labelsize=8, length=2)


def _draw_matched(axes: Axes, found: Recovery, inks: Inks) -> None:
    plain_axes(axes, inks)
    values, n = found.matched, len(found.latent)
    share = np.arange(1, len(values) + 1) / n
    low = min(0.0, float(values.min(initial=0.0)))
    line: dict[str, Any] = {"color": inks.positive, "linewidth": 1.8}
    axes.plot(100 * share, values, drawstyle="steps-pre", zorder=3, **line)
    axes.axhline(RECOVERED, color=inks.grey, linewidth=0.9, dashes=(5, 3))
    axes.text(101, RECOVERED, f"recovered\nfrom {RECOVERED:g}", fontsize=7.5, color=inks.grey, va="center")
    counts, edges = np.histogram(values, bins=np.linspace(low, 1.0, 41 if low == 0 else 61))
    width = 38 * counts / max(1, counts.max(initial=1))
    axes.barh(edges[:-1], width, height=np.diff(edges), align="edge", color=inks.positive, alpha=0.22, zorder=1)
    if counts.any():  # the bars' scale
        longest = int(counts.argmax())
        text: dict[str, Any] = {"fontsize": 7.5, "color": inks.grey, "va": "center"}
        axes.text(39, float(edges[longest] + edges[longest + 1]) / 2, f"{counts[longest]:,}", **text)
    axes.set_xlim(0, 100)
    axes.set_ylim(low - 0.02, 1.02)
    axes.set_xlabel("% of features with at least this cosine", fontsize=9)
    axes.set_ylabel("cosine of the match", fontsize=9)
    recovered = int((values >= RECOVERED).sum())
    unmatched = f", {n - len(values):,} without a latent" if len(values) < n else ""
    below = f"{recovered:,} of {n:,} recovered{unmatched}; bars: how many"
    heading(axes, f"Matches: mean {float(values.mean()) if len(values) else 0:.3f}", below, inks)
