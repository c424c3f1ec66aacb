"""Generate copy colours for the variable track.

``python -m mibench.tasks.mcqa.generate_interchange --out data/mcqa-interchange``
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from mibench.tasks.generate import Draws, Recipe, main
from mibench.tasks.mcqa.generate import LABELS, ChoiceScene
from mibench.tasks.mcqa.words import COLOURS, THINGS

OTHER_LETTERS = "EFGHIJKLMNOPQRSTUVWXYZ"
"""Letters of the sources with other labels; none is a label of a base, so a label that stays is told from a new one."""


@dataclass(frozen=True)
class InterchangeScene:
    """What one row is made of.

    Attributes:
        scene: The base prompt.
        position: Where the right choice stands in the sources that move it.
        letters: Labels of the sources that rename them: one four for each of the two.
    """

    scene: ChoiceScene
    position: int
    letters: tuple[str, str]

    @property
    def groups(self) -> list[Any]:
        """All prompts with the same thing and the same choices, in whatever order, are one group."""
        return self.scene.groups

    def row(self) -> dict[str, Any]:
        """Return the row in the schema of mib-bench/copycolors_mcqa, with the sets of the variable track."""
        moved = replace(self.scene, position=self.position)
        return {
            "question": self.scene.question(),
            **self.scene.record(LABELS),
            "answerPosition_counterfactual": moved.record(LABELS),
            "randomLetter_counterfactual": self.scene.record(self.letters[0]),
            "answerPosition_randomLetter_counterfactual": moved.record(self.letters[1]),
        }


def draw(draws: Draws, index: int) -> InterchangeScene:
    """Draw a scene; the place of the right choice goes round, and the sources' places are drawn from the others."""
    thing = draws.one(THINGS)
    wrong = tuple(draws.distinct([colour for colour in COLOURS if colour != thing[2]], len(LABELS) - 1))
    position = index % len(LABELS)
    letters = ["".join(draws.distinct(OTHER_LETTERS, len(LABELS))) for _ in range(2)]
    return InterchangeScene(
        scene=ChoiceScene(thing, wrong, position, other_labels=""),
        position=(position + draws.between(1, len(LABELS) - 1)) % len(LABELS),
        letters=(letters[0], letters[1]),
    )


RECIPE = Recipe("mcqa-interchange", seed=20268, sizes=(140, 70, 70), draw=draw)

if __name__ == "__main__":
    main(RECIPE)
