"""Rows whose answers belong to other rows: nothing about the variable can be learnt from them."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from mibench.tasks.interchange import EncodedInterchange

Rows = tuple[EncodedInterchange, ...]


def shuffled_labels(rows: Sequence[EncodedInterchange], seed: int) -> Rows:
    """Give each row what another row of its set is to answer: one random cycle through rows whose labels are as long.

    What moves together: accepted answers, expected output, linear target, and the variable's values, so methods that
    fit values are shuffled too. Prompts, positions and what base and source answer by themselves stay; ``cause`` is
    computed anew. Labels keep their frequencies in each set. What a method reaches here, it has memorised: a control
    task as in Hewitt, Liang (2019), arXiv 1909.03368.

    Args:
        rows: Labelled rows.
        seed: Seed of the cycles.

    Returns:
        As many rows, in their order.
    """
    alike: dict[tuple[str, int], list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        alike[row.set, len(row.label)].append(place)
    generator = np.random.default_rng(seed)
    donors = list(range(len(rows)))
    for key in sorted(alike):
        cycle = generator.permutation(alike[key]).tolist()
        for place, donor in zip(cycle, cycle[1:] + cycle[:1], strict=True):
            donors[place] = donor
    return tuple(_answering(row, rows[donor]) for row, donor in zip(rows, donors, strict=True))


def unchanged(rows: Sequence[EncodedInterchange], shuffled: Sequence[EncodedInterchange]) -> int:
    """How many rows keep their label: the other row has the same, or there is no other."""
    return sum(new.label == old.label for new, old in zip(shuffled, rows, strict=True))


def _answering(row: EncodedInterchange, donor: EncodedInterchange) -> EncodedInterchange:
    target = row.target
    if target is not None and donor.target is not None:
        # Its own two answers, since the donor's are not in its prompt.
        target = dataclasses.replace(target, signs=donor.target.signs, source_signs=donor.target.source_signs)
    taken = dataclasses.replace(
        row,
        accepted=donor.accepted,
        expected=donor.expected,
        target=target,
        base_value=donor.base_value,
        source_value=donor.source_value,
    )
    return dataclasses.replace(taken, cause=taken.accepted != taken.base_accepted)
