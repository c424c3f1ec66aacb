import numpy as np
from alignment_cases import LAST, array_of, call, intervention, outputs, rows, view


def test_rows_of_one_kind_give_das():
    cell = view(train=[row for row in rows() if row.cause])
    assert np.array_equal(array_of(call("multi-task-das", cell)), array_of(call("das", cell)))


def test_as_many_of_both_kinds_give_das():
    causes, isolates = ([row for row in rows() if row.cause == kind] for kind in (True, False))
    cell = view(train=[*causes[: len(isolates)], *isolates])
    assert np.array_equal(array_of(call("multi-task-das", cell)), array_of(call("das", cell)))


def test_the_rarer_kind_comes_out_better_than_with_das():
    causes, isolates = ([row for row in rows(48, 7) if row.cause == kind] for kind in (True, False))
    cell = view(train=[*causes, *isolates[:4]])
    kept = np.array([not row.cause for row in cell.train])
    given = {"k": 8, "epochs": 20, "batch": 36, "lr": 0.05}
    found = [intervention(call(name, cell, **given)) for name in ("das", "multi-task-das")]
    losses = -outputs(cell, *found).label_logprob
    balanced = losses[:, kept].mean(1) + losses[:, ~kept].mean(1)
    assert losses[1, kept].mean() < losses[0, kept].mean()
    assert balanced[1] < balanced[0]


def test_it_is_about_its_site():
    assert [one.site for one in call("multi-task-das", view()).sites] == [LAST]
