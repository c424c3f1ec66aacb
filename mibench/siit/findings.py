"""What a check of a trained model found, and what it must reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

IIA, EFFECT, FAITHFULNESS = 0.95, 0.02, 0.95
"""What a model must reach: at least, at most, at least."""
LEAST_LOSS = 0.05
"""Share that goes with any true edge, at least."""


@dataclass(frozen=True)
class Swaps:
    """How often swaps of a variable's nodes do what the causal model says.

    Attributes:
        iia: Interchange-intervention accuracy: share of right answers, over all rows.
        changing: The same over the rows whose answer the swap is to change.
        rows: Number of rows; those where the causal model has no answer are left out.
    """

    iia: float
    changing: float
    rows: int

    @property
    def holds(self) -> bool:
        """Whether that is enough."""
        return min(self.iia, self.changing) >= IIA


@dataclass(frozen=True)
class Edges:
    """What the true edges do, under one counterfactual set.

    Attributes:
        faithfulness: (m(true edges) − m(nothing)) / (m(model) − m(nothing)), with m the mean logit difference.
        accuracy: Share of pairs in which the true edges alone prefer the right answer.
        count: Number of true edges, those into q, k and v of a head counted as one.
        weakest: The true edge that matters least when it alone is ablated.
        loss: Share of m(model) − m(nothing) that goes with it.
    """

    faithfulness: float
    accuracy: float
    count: int
    weakest: str
    loss: float


@dataclass(frozen=True)
class Findings:
    """What a check found, on prompts of the test split.

    Attributes:
        behaviour: Share of right answers.
        swaps: By variable.
        effects: Share of answers that change when one off-circuit node is swapped, by node.
        all_off: The same with all of them swapped at once.
        mixtures: Share of right answers where the true edges carry the prompt's values, but for a few of them, and all
            other edges another prompt's; right is what the causal model makes of that.
        edges: By circuit task.
        rows: Prompts that were asked.
    """

    behaviour: float
    swaps: Mapping[str, Swaps]
    effects: Mapping[str, float]
    all_off: float
    mixtures: float
    edges: Mapping[str, Edges]
    rows: int

    @property
    def worst_effect(self) -> float:
        """The largest effect of a single off-circuit node."""
        return max(self.effects.values(), default=0.0)

    @property
    def mean_effect(self) -> float:
        """The mean effect of a single off-circuit node."""
        return sum(self.effects.values()) / max(1, len(self.effects))

    @property
    def failures(self) -> tuple[str, ...]:
        """What is not as it must be, in words; nothing for a good model."""
        found = [] if self.behaviour >= IIA else [f"only {self.behaviour:.3f} of the answers are right"]
        for name, swap in self.swaps.items():
            if not swap.holds:
                found.append(f"the IIA of {name} is {swap.iia:.3f}, and {swap.changing:.3f} where the answer changes")
        for name, effect in {**self.effects, "all off-circuit nodes": self.all_off}.items():
            if effect > EFFECT:
                found.append(f"swapping {name} changes {effect:.3f} of the answers")
        if self.mixtures < IIA:
            found.append(f"only {self.mixtures:.3f} of the answers along a part of the true edges are right")
        for task, edges in self.edges.items():
            if edges.faithfulness < FAITHFULNESS:
                found.append(f"the true edges of {task} have a faithfulness of {edges.faithfulness:.3f}")
            if edges.loss < LEAST_LOSS:
                found.append(f"without {edges.weakest} the true edges of {task} lose {edges.loss:.3f}: it does nothing")
        return tuple(found)

    @property
    def lines(self) -> tuple[str, ...]:
        """The figures, a line each."""
        swaps = [
            f"IIA of {name}: {swap.iia:.4f}, where the answer changes {swap.changing:.4f} ({swap.rows} rows)"
            for name, swap in self.swaps.items()
        ]
        effect = (
            f"answers changed by one off-circuit node: at most {self.worst_effect:.4f}, mean {self.mean_effect:.4f} "
            f"({len(self.effects)} nodes); by all of them at once: {self.all_off:.4f}"
        )
        mixtures = f"right answers along the true edges alone, one to three of them ablated: {self.mixtures:.4f}"
        edges = [
            f"{task}: {edges.count} true edges alone have a faithfulness of {edges.faithfulness:.4f}, the right answer "
            f"is preferred in {edges.accuracy:.4f}; without the weakest, {edges.weakest}, {edges.loss:.3f} is lost"
            for task, edges in self.edges.items()
        ]
        return (f"right answers: {self.behaviour:.4f} of {self.rows}", *swaps, effect, mixtures, *edges)
