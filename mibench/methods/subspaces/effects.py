"""Effects of interchanges on the outputs of training rows, of the causal model and of the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mibench.core.errors import MethodError
from mibench.engine.interchange.objective import Coefficients, targets
from mibench.engine.interchange.options import Intervention
from mibench.engine.interchange.outputs import Outputs
from mibench.methods.subspaces.transport import sinkhorn
from mibench.methods.variable_view import VariableView
from mibench.tasks.interchange import EncodedInterchange

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Effects:
    """What the causal model says of three interchanges, in the units in which the network is measured.

    Attributes:
        variable: Signature of the interchange on the cell's variable, ``[rows]``.
        references: Signatures of what a site may do instead: nothing, or hand over all of the source. Those that
            equal the variable's, or each other, are not here.
        unit: Mean squared difference of the variable's signature from doing nothing.
    """

    variable: Array
    references: tuple[Array, ...]
    unit: float

    def cost(self, signatures: Array) -> Array:
        """Mean squared difference from each effect, the variable's first, in units of the variable's own effect.

        Args:
            signatures: Of interventions, ``[interventions, rows]``.

        Returns:
            ``[effects, interventions]``.
        """
        effects = np.stack([self.variable, *self.references])
        return np.asarray(np.square(effects[:, None] - signatures).mean(-1) / self.unit, dtype=np.float64)


def effects_of(view: VariableView) -> Effects:
    """Effects by the causal model, on the training rows.

    Raises:
        MethodError: On no row does the variable change the answer.
    """
    rows, coefficients = view.train, view.ground.coefficients
    if coefficients is None:
        variable = np.ones(len(rows))
        nothing = np.array([0.0 if row.cause else 1.0 for row in rows])
        everything = _answer_is_the_sources(rows)
    else:
        variable = targets(rows, coefficients)
        nothing = view.interchanges().plain().contrast[0]
        everything = _source_targets(rows, coefficients)
    unit = float(np.square(variable - nothing).mean())
    if not unit > 0:
        raise MethodError(
            "There is no effect to look for.",
            why="On no training row does the interchange change the answer.",
            do="Use counterfactual sets that change it.",
        )
    known = [nothing] if everything is None else [nothing, everything]
    return Effects(variable, _different(known, variable), unit)


def signatures_of(outputs: Outputs, coefficients: Coefficients | None) -> Array:
    """Probability of the label on each row, or the contrast for a linear target, ``[interventions, rows]``."""
    values = np.exp(outputs.label_logprob) if coefficients is None else outputs.contrast
    return np.asarray(values, dtype=np.float64)


@dataclass(frozen=True)
class Transport:
    """How effects are coupled: see ``sinkhorn``; costs are in units of the variable's own effect."""

    epsilon: float
    balance: float


@dataclass(frozen=True)
class Coupled:
    """Where the plan finds the variable.

    Attributes:
        mass: Share of the variable's mass that each intervention gets, ``[interventions]``.
        order: Interventions by mass, then by cost, then as given.
    """

    mass: Array
    order: list[int]


def coupled(
    view: VariableView, effects: Effects, interventions: Sequence[Intervention], transport: Transport
) -> Coupled:
    """Couple the effects of the causal model, all of one mass, with those of interventions on the training rows."""
    outputs = view.interchanges().run(interventions)
    cost = effects.cost(signatures_of(outputs, view.ground.coefficients))
    kinds, n = cost.shape
    plan = sinkhorn(cost, np.full(kinds, 1 / kinds), np.full(n, 1 / n), transport.epsilon, transport.balance)
    mass = plan[0] * kinds
    return Coupled(mass, np.lexsort((np.arange(n), cost[0], -mass)).tolist())


def _answer_is_the_sources(rows: Sequence[EncodedInterchange]) -> Array | None:
    if not all(row.source_accepted for row in rows):
        return None
    return np.array([float(row.accepted == row.source_accepted) for row in rows])


def _source_targets(rows: Sequence[EncodedInterchange], coefficients: Coefficients) -> Array:
    constant, *slopes = coefficients
    signs = [row.target.source_signs if row.target else [np.nan] * len(slopes) for row in rows]
    return np.asarray(constant + np.array(signs, dtype=np.float64) @ np.array(slopes), dtype=np.float64)


def _different(candidates: Sequence[Array], variable: Array) -> tuple[Array, ...]:
    kept = [variable]
    for one in candidates:
        if not any(np.array_equal(one, other) for other in kept):
            kept.append(one)
    return tuple(kept[1:])
