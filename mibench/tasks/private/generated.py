"""Private rows of generated sets: the set's own generator under a key that only the organiser has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from mibench.core.errors import DataError
from mibench.tasks.arithmetic import generate as arithmetic
from mibench.tasks.arithmetic import generate_interchange as additions
from mibench.tasks.generate import Draws, Recipe, split_of
from mibench.tasks.greater_than import generate as greater_than
from mibench.tasks.greater_than import generate_interchange as greater_than_interchange
from mibench.tasks.ioi import generate as ioi
from mibench.tasks.mcqa import generate as mcqa
from mibench.tasks.mcqa import generate_interchange as mcqa_interchange
from mibench.tasks.private.keys import SPLITS, SplitName, keyed, shuffled, side
from mibench.tasks.ravel import generate as ravel
from mibench.tasks.shipped import data_folder, read_rows
from mibench.tasks.task import SPLITS as PUBLIC

PATIENCE = 50_000
"""Draws in a row that bring no new row, after which there are taken to be no more."""
JsonRow = dict[str, Any]
Drawn = tuple[JsonRow, Sequence[Any]]
"""A row, and what of it belongs to one private split: what its prompts are about."""
Draw = Callable[[Draws, int], Drawn | None]
"""Draws the next row, given how many there are; None: it is not of the public test bucket."""


def _of_recipe(recipe: Recipe) -> Draw:
    def draw(draws: Draws, index: int) -> Drawn | None:
        scene = recipe.draw(draws, index)
        held_out = all(split_of(group) == "test" for group in scene.groups)
        return (scene.row(), scene.groups) if held_out else None

    return draw


def _cities(draws: Draws, index: int) -> Drawn:
    """Cities are dealt; each split of this set has two templates of a kind, which both private ones share."""
    scene = ravel.draw(draws, index, "test")
    return scene.row(), [one.city.name for one in (scene.base, scene.attribute, scene.neutral)]


_RECIPES = (
    *arithmetic.RECIPES,
    *additions.RECIPES,
    greater_than.RECIPE,
    greater_than_interchange.RECIPE,
    ioi.RECIPE,
    mcqa.RECIPE,
    mcqa_interchange.RECIPE,
)
GENERATORS: dict[str, Draw] = {recipe.name: _of_recipe(recipe) for recipe in _RECIPES} | {"ravel": _cities}
"""How each generated set is drawn, by name of its folder."""


@dataclass(frozen=True)
class Wanted:
    """Rows of one private split of a set.

    Attributes:
        name: The set.
        split: Which of the two.
        rows: How many.
        salt: Fixes every draw.
    """

    name: str
    split: SplitName
    rows: int
    salt: bytes

    def drawn(self, taken: frozenset[str]) -> list[JsonRow]:
        """Return the rows, without any prompt that is ``taken``, in an order that says nothing of them.

        Raises:
            DataError: There are fewer.
        """
        draw, waited = GENERATORS[self.name], 0
        draws = Draws(f"mibench-private/{keyed(self.salt, 'draws', self.name, self.split).hex()}")
        found: dict[str, JsonRow] = {}
        while len(found) < self.rows:
            if waited == PATIENCE:
                raise self._too_few(len(found))
            one, waited = draw(draws, len(found)), waited + 1
            if one is None or any(side(self.salt, part) != self.split for part in one[1]):
                continue
            row = one[0]
            if row["prompt"] not in found and taken.isdisjoint(prompts(row)):
                found[row["prompt"]], waited = row, 0
        return shuffled(self.salt, found.values(), lambda row: row["prompt"])

    def _too_few(self, found: int) -> DataError:
        return DataError(
            f"The data set '{self.name}' has too few private rows.",
            why=f"{self.rows} are asked for; {found} of its test bucket, in no public split, fall to {self.split} "
            f"({PATIENCE} more draws gave no other).",
            do=f"Ask for at most {found} rows." if found else "Leave its tasks out.",
        )


def private_rows(name: str, rows: int, salt: bytes) -> dict[SplitName, list[JsonRow]]:
    """Return the rows of a generated set, as many for each private split.

    They are drawn by the set's generator, with HMAC-SHA256 of set and split in the place of the public seed, and come
    from the public test bucket: nothing that methods train on is in them. What a prompt is about (two names with place
    and object, two numbers, …) belongs to one private split, of every set that has it, and no prompt of any column
    stands in a public split of any generated set.

    Raises:
        DataError: The set has too few of them.
    """
    taken, found = public_prompts(), {}
    for split in SPLITS:
        found[split] = Wanted(name, split, rows, salt).drawn(taken)
        taken = taken.union(*map(prompts, found[split]))
    return found


def prompts(row: JsonRow) -> set[str]:
    """Return the prompts of a row: its own and those of its counterfactuals."""
    others = [one for name, one in row.items() if name.endswith("_counterfactual") and isinstance(one, dict)]
    return {str(one["prompt"]) for one in (row, *others) if one.get("prompt") is not None}


@cache
def public_prompts() -> frozenset[str]:
    """Return every prompt of every public split of every generated set.

    Raises:
        DataError: A file is missing or was changed.
    """
    files = [(data_folder(name), f"{split}.jsonl") for name in GENERATORS for split in PUBLIC]
    return frozenset(prompt for folder, file in files for _, row in read_rows(folder, file) for prompt in prompts(row))
