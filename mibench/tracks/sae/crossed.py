"""Texts with two crossed attributes, as the concepts and pairs of concepts that SCR and TPP are about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mibench.core.errors import DataError
from mibench.core.hashing import digest
from mibench.metrics.sae.ablated_probes import Concept, make_concept
from mibench.metrics.sae.adamw_probe import AdamWRecipe, train_probe
from mibench.metrics.sae.scr import Pair
from mibench.metrics.sae.sparse_probe import Columns
from mibench.tasks.probing.labelled import CrossedText, in_turns
from mibench.tasks.probing.settings import CrossedAttribute
from mibench.tasks.probing.shipped import crossed_texts
from mibench.tasks.probing.splits import split_of_groups
from mibench.tracks.sae.probe_sets import Division


@dataclass(frozen=True)
class CrossedRows:
    """Texts of one source with their classes and splits.

    Attributes:
        attribute: Which classes, and what crosses them.
        division: How texts are divided.
        texts: The texts.
    """

    attribute: CrossedAttribute
    division: Division
    texts: tuple[CrossedText, ...] = field(repr=False)

    @classmethod
    def shipped(cls, attribute: CrossedAttribute, division: Division) -> CrossedRows:
        """Texts that come with mibench.

        Raises:
            DataError: The file is missing or was changed, or has no such columns.
        """
        texts = crossed_texts(attribute.source)
        if any(not {attribute.main, attribute.other} <= set(one.values) for one in texts):
            why = f"They need {attribute.main} and {attribute.other}."
            raise DataError(f"The texts '{attribute.source}' lack a column.", why=why, do="Name others.")
        return cls(attribute, division, texts)

    @property
    def digest(self) -> str:
        """sha256 of texts, groups and values."""
        return digest([[one.text, one.group, dict(one.values)] for one in self.texts])

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Values of the main attribute, sorted."""
        return tuple(sorted({one.values[self.attribute.main] for one in self.texts}))

    @cached_property
    def rows(self) -> tuple[Columns, Columns]:
        """Rows of train, and those that are scored, in which combinations of classes take turns."""
        groups = split_of_groups([one.group for one in self.texts], self.attribute.source, self.division.seed)
        return self._turned(groups, "train"), self._turned(groups, self.division.split)[: self.division.limit]

    def concepts(self, activations: NDArray[np.floating], recipe: AdamWRecipe) -> tuple[Concept, ...]:
        """Each class against the rest, the rest evenly from all other classes, with probes.

        Args:
            activations: Mean over tokens. `[texts, d]`
            recipe: How probes are trained.
        """
        main = self._values(self.attribute.main)
        return tuple(
            make_concept(name, activations, main == name, self._one_against_rest(main, name), recipe)
            for name in self.classes
        )

    def pairs(self, activations: NDArray[np.floating], recipe: AdamWRecipe) -> tuple[Pair, ...]:
        """Pairs of classes with the other attribute as what is spurious, with probes.

        Args:
            activations: Mean over tokens. `[texts, d]`
            recipe: How probes are trained.
        """
        return tuple(self._pair(names, activations, recipe) for names in self.attribute.pairs)

    def _pair(self, names: tuple[str, str], activations: NDArray[np.floating], recipe: AdamWRecipe) -> Pair:
        main, other = self._values(self.attribute.main), self._values(self.attribute.other)
        target, spurious = main == names[0], other == min(set(other.tolist()))
        train, test = (_even(rows[np.isin(main[rows], names)], target, spurious) for rows in self.rows)
        coincide = train[target[train] == spurious[train]]
        return Pair(
            "/".join(names),
            make_concept(names[0], activations, target, (train, test), recipe),
            make_concept(str(min(set(other.tolist()))), activations, spurious, (train, test), recipe),
            train_probe(activations[coincide], target[coincide], recipe),
        )

    def _one_against_rest(self, main: NDArray[np.str_], name: str) -> tuple[Columns, Columns]:
        train, test = (_half(rows, main, name) for rows in self.rows)
        return train, test

    def _values(self, attribute: str) -> NDArray[np.str_]:
        return np.array([one.values[attribute] for one in self.texts])

    def _turned(self, split: Mapping[str, str], name: str) -> Columns:
        cells: dict[tuple[str, str], list[int]] = defaultdict(list)
        for row, one in enumerate(self.texts):
            if split[one.group] == name:
                cells[one.values[self.attribute.main], one.values[self.attribute.other]].append(row)
        return np.array(in_turns([cells[key] for key in sorted(cells)]), dtype=np.int64)


def _half(rows: Columns, main: NDArray[np.str_], name: str) -> Columns:
    """Rows of a class and as many of the others, which take turns."""
    with_it = rows[main[rows] == name].tolist()
    others = [rows[main[rows] == other].tolist() for other in sorted(set(main[rows].tolist()) - {name})]
    return _enough(with_it, in_turns(others))


def _even(rows: Columns, target: NDArray[np.bool_], spurious: NDArray[np.bool_]) -> Columns:
    """As many rows of each of the four combinations."""
    cells = [rows[(target[rows] == a) & (spurious[rows] == b)].tolist() for a in (True, False) for b in (True, False)]
    return _enough(*cells)


def _enough(*parts: Sequence[int]) -> Columns:
    few = min(len(part) for part in parts)
    if few == 0:
        raise DataError(
            "There are too few texts for SCR or TPP.",
            why="A combination of classes has no text in one of the splits.",
            do="Raise --limit.",
        )
    return np.array(sorted(row for part in parts for row in part[:few]), dtype=np.int64)
