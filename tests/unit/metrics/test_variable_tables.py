"""Tables that contradict themselves are refused with the reason, not scored."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from variable_tables import linear_tables, variable_tables, write_variable

from mibench.core.errors import DataError
from mibench.metrics.variable.examples import read_tables
from mibench.metrics.variable.tables import VariableTables
from mibench.records.store import Store

GOOD = variable_tables({"a": [[0.1, 0.2], [0.9, 0.4]], "b": [[0.3, 0.2], [0.7, 0.8]]}, {"a": 0.0, "b": 0.0})
LINEAR = linear_tables({"x": {"7.1": 2.0, "noop": 3.0}})


def first(frame: pd.DataFrame, **changes: object) -> pd.DataFrame:
    """The frame with its first row changed."""
    changed = frame.astype(dict.fromkeys(changes, object)).copy()
    for name, value in changes.items():
        changed.loc[changed.index[0], name] = value
    return changed


BROKEN = {
    "no column": GOOD._replace(examples=GOOD.examples.drop(columns="correct")),
    "is empty": GOOD._replace(noop=GOOD.noop.iloc[:0]),
    "has gaps": GOOD._replace(examples=first(GOOD.examples, layer=None)),
    "neither yes nor no": GOOD._replace(examples=first(GOOD.examples, correct=2)),
    "a row twice": GOOD._replace(noop=pd.concat([GOOD.noop, GOOD.noop.iloc[:1]])),
    "listed twice": GOOD._replace(examples=pd.concat([GOOD.examples, GOOD.examples.iloc[:1]])),
    "same rows": GOOD._replace(examples=GOOD.examples.iloc[1:]),
    "where a group": GOOD._replace(examples=first(GOOD.examples, layer=1)),
    "which answers": GOOD._replace(examples=first(GOOD.examples, cause=False)),
    "not one chosen": GOOD._replace(selection=GOOD.selection.assign(chosen=True)),
    "was not measured": GOOD._replace(selection=GOOD.selection.assign(group=GOOD.selection["group"] + "x")),
    "lists a group twice": GOOD._replace(selection=pd.concat([GOOD.selection, GOOD.selection.iloc[:1]])),
    "how many layers": GOOD._replace(examples=first(GOOD.examples, n_layers=7)),
    "does not have": GOOD._replace(n_layers=1),
    "finite contrast": LINEAR._replace(examples=first(LINEAR.examples, contrast=np.nan)),
    "disagree about the linear": LINEAR._replace(examples=first(LINEAR.examples, target=99.0)),
}


@pytest.mark.parametrize("why", list(BROKEN))
def test_a_contradiction_is_refused_with_its_reason(why: str) -> None:
    with pytest.raises(DataError) as caught:
        read_tables(BROKEN[why])
    assert why in caught.value.why


def test_good_tables_are_read_with_the_no_op_as_the_last_column() -> None:
    found = read_tables(GOOD)
    assert (found.sets, len(found.rows), found.correct.shape) == (("a", "b"), 20, (20, 5))
    assert found.correct[:, -1].sum() == 0
    assert [group.name for group in found.groups][found.chosen] == "residual-post.L1@last"
    assert found.positions == ("last", "symbol")


def test_tables_come_back_from_a_store_as_they_were(tmp_path) -> None:
    store = Store(tmp_path)
    tables = GOOD._replace(extras={"control_weights": GOOD.examples.drop(columns="n_layers").assign(noop=False)})
    record = write_variable(store, "das", tables._replace(n_layers=2), where={"layers": (0, 1)})
    back = VariableTables.stored(record, store)
    assert set(record.tables) == {"examples", "noop", "selection", "attrition", "control_weights"}
    assert back.layers == (0, 1)
    one, other = read_tables(back), read_tables(tables)
    assert (one.rows, one.groups, one.n_layers) == (other.rows, other.groups, 2)
    assert np.array_equal(one.correct, other.correct)


def test_records_of_other_tracks_have_no_such_tables(tmp_path) -> None:
    store = Store(tmp_path)
    record = write_variable(store, "das", GOOD)
    cell = record.cell.model_copy(update={"track": "circuit"})
    with pytest.raises(DataError, match="no scored sites"):
        VariableTables.stored(record.model_copy(update={"cell": cell}), store)
