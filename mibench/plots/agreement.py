"""How well scores agree with the truth: a dot a score with its interval, and a tick a model behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from mibench.plots.sheet import Margins, Sheet, plain_axes, sentences
from mibench.plots.style import INKS, Inks, Picture, Theme, picture, short

_ROW, _WIDTH, _LONGEST = 0.24, 5.4, 34
_READING = (
    "Of the pairs of methods of which one finds the known truth better, the share that a score puts in the same order: "
    "1 is all of them, 0.5 chance. Dots: means over models; bars: 95 % intervals, the models of one program resampled "
    "together; ticks: single models. Grey dots: the interval contains 0.5 or is missing"
)
_CHANCE = 0.5


@dataclass(frozen=True)
class Agreement:
    """One score.

    Attributes:
        name: Of the score.
        value: Mean share.
        low: Lower end of its interval, if it has one.
        high: Upper end.
        single: Share on each model.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    single: tuple[float, ...]

    @property
    def sure(self) -> bool:
        """Whether the interval leaves chance out."""
        return self.low is not None and self.high is not None and (self.low > _CHANCE or self.high < _CHANCE)


def agreement_picture(
    found: Sequence[Agreement], title: str, notes: Sequence[str] = (), *, theme: Theme = "light"
) -> Picture:
    """Draw the scores, best first.

    Args:
        found: What is drawn, in order.
        title: Heading.
        notes: Sentences for the caption.
        theme: Light or dark.
    """
    inks = INKS[theme]
    margins = Margins(left=2.7, right=0.4, top=0.15, bottom=0.6)
    sheet = Sheet(title, sentences([_READING, *notes]), 1, (_WIDTH, _ROW * (len(found) + 1)), margins)
    with picture(sheet.size, inks) as drawing:
        drawing.figure.set_layout_engine("none")
        _draw(sheet.axes(drawing.figure, 0), found, inks)
        sheet.write(drawing.figure, inks)
    return drawing


def _draw(axes: Axes, found: Sequence[Agreement], inks: Inks) -> None:
    axes.axvline(_CHANCE, color=inks.grey, linewidth=1)
    for place, one in enumerate(found):
        colour = (inks.positive if one.value > _CHANCE else inks.negative) if one.sure else inks.grey
        axes.plot(one.single, [place] * len(one.single), "|", color=inks.grey, markersize=7, alpha=0.45)
        if one.low is not None and one.high is not None:
            axes.plot([one.low, one.high], [place, place], color=colour, linewidth=2)
        axes.plot([one.value], [place], "o", color=colour, markersize=6)
    axes.set_yticks(range(len(found)), [short(one.name, _LONGEST) for one in found])
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("share of pairs of methods in the right order")
    axes.grid(axis="x", color=inks.pale)
    axes.set_axisbelow(True)
    plain_axes(axes, inks)
