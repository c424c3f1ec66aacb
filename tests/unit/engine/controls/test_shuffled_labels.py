from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from planted_sites import row

from mibench.engine.controls.shuffled_labels import shuffled_labels, unchanged
from mibench.tasks.interchange import LinearTarget

GENERATOR = np.random.default_rng(17)
ROWS = tuple(
    row(
        n,
        base,
        source,
        set=name,
        target=LinearTarget((n, n + 1), (1.0,), (1.0,)),
        accepted=((n, 0),) if n % 7 == 0 else ((n,),),
    )
    for n, (base, source, name) in enumerate(
        zip(GENERATOR.choice(list("abc"), 60), GENERATOR.choice(list("abc"), 60), ["one", "two"] * 30, strict=True)
    )
)


def test_labels_are_dealt_among_rows_of_a_set_with_labels_as_long():
    found = shuffled_labels(ROWS, 0)
    for name in ("one", "two"):
        for length in (1, 2):
            before, after = (
                Counter(one.label for one in rows if one.set == name and len(one.label) == length)
                for rows in (ROWS, found)
            )
            assert before == after
    assert [(one.id, one.set, len(one.label)) for one in found] == [(one.id, one.set, len(one.label)) for one in ROWS]


def test_no_row_keeps_its_own_answer_if_labels_differ():
    found = shuffled_labels(ROWS, 0)
    assert unchanged(ROWS, found) == 0
    assert all(new.label != old.label for new, old in zip(found, ROWS, strict=True))


def test_what_says_the_answer_moves_together_and_what_is_read_stays():
    by_label = {one.label: one for one in ROWS}
    for new, old in zip(shuffled_labels(ROWS, 1), ROWS, strict=True):
        donor = by_label[new.label]
        for name in ("accepted", "expected", "base_value", "source_value"):
            assert getattr(new, name) == getattr(donor, name)
        if old.target is not None:
            # The two answers that are compared are in the row's own prompt.
            assert new.target == replace(donor.target, tokens=old.target.tokens)
        for name in (
            "base",
            "source",
            "base_positions",
            "source_positions",
            "base_accepted",
            "source_accepted",
            "group",
        ):
            assert getattr(new, name) == getattr(old, name)


def test_cause_is_whether_the_new_answers_differ_from_the_bases_own():
    found = shuffled_labels(ROWS, 2)
    assert all(one.cause == (one.accepted != one.base_accepted) for one in found)
    same = [row(n, base, source) for n, (base, source) in enumerate([("a", "b"), ("b", "a")])]
    assert [one.cause for one in same] == [True, True]
    assert [one.cause for one in shuffled_labels(same, 0)] == [False, False]


def test_rows_that_keep_their_label_by_chance_are_counted():
    rows = [row(n, "a", "b") for n in range(5)] + [row(5, "b", "a", set="alone")]
    assert unchanged(rows, shuffled_labels(rows, 0)) == 6
    assert shuffled_labels([], 0) == ()


def test_the_same_seed_gives_the_same_rows_and_another_does_not():
    assert shuffled_labels(ROWS, 5) == shuffled_labels(ROWS, 5)
    assert shuffled_labels(ROWS, 5) != shuffled_labels(ROWS, 6)
