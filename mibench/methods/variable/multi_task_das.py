"""Multi-task distributed alignment search (MDAS)."""

from __future__ import annotations

from collections.abc import Sequence

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.methods.alignment.align import align
from mibench.methods.alignment.fitting import Recipe
from mibench.methods.alignment.settings import Count, Rate, training_of
from mibench.methods.alignment.subspaces import random_subspaces
from mibench.methods.method import method
from mibench.methods.variable_view import VariableView
from mibench.tasks.interchange import EncodedInterchange


@method(track="variable", name="multi-task-das", version=1, needs=("train", "gradients", "randomness"), levels=())
def multi_task_das(
    view: VariableView, *, k: Count = None, epochs: Count = None, batch: Count = None, lr: Rate = None
) -> Featurizers:
    """Learn a subspace that changes the answer where it should, and leaves it where it should, both equally.

    As ``das``, with the loss ½ mean over cause rows + ½ mean over isolate rows, whatever their numbers: a row counts
    n / (2 n_kind). Isolate rows are those whose answer the causal model leaves as it is. Without one of both kinds it
    is ``das``. Cost: that of ``das``. Source: Huang, Wu, Potts, Geva, Geiger (2024), arXiv 2402.17700, who train on
    one isolate loss for each other attribute; here they are the rows that the task gives.

    Args:
        view: The cell's view.
        k: Number of directions; None: the task's default, which is at most the width.
        epochs: Times that each row is seen; None: the task's default.
        batch: Rows a step; None: the task's default.
        lr: Learning rate; None: the task's default.
    """
    return align(view, [Recipe(random_subspaces(view, k), training_of(view, epochs, batch, lr), balanced)])


def balanced(rows: Sequence[EncodedInterchange]) -> list[float]:
    """How much each row counts: cause and isolate rows add up to the same, all rows to their number."""
    causes = sum(row.cause for row in rows)
    if causes in {0, len(rows)}:
        return [1.0] * len(rows)
    shares = {True: len(rows) / (2 * causes), False: len(rows) / (2 * (len(rows) - causes))}
    return [shares[row.cause] for row in rows]
