"""What a circuit method sees: the model, the training and validation examples, and the engine's verbs.

It never sees the test split, nor how it is scored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mibench.artifacts.circuit import CircuitScores
from mibench.core.errors import MethodError
from mibench.core.specs import Ablation, Level
from mibench.core.truth import TaskTruth
from mibench.engine.attribution.edges import Attribution, attribute_edges, attribute_examples
from mibench.engine.attribution.nodes import attribute_nodes, attribute_nodes_like_eap_ig
from mibench.engine.base import Constants, constants_for
from mibench.engine.batches import MAX_TOKENS
from mibench.engine.circuits.evaluate import Evaluation, Outcome, evaluate
from mibench.engine.meter import NoCounter, PassCounter, Progress, no_progress
from mibench.engine.model import LanguageModel
from mibench.engine.rules import BackwardRules
from mibench.graph.circuit import Circuit
from mibench.graph.graph import Graph
from mibench.tasks.encode import EncodedPair

Variant = Literal["mibench", "mib"]
"""Whose way of computing: what is meant, or what MIB's code does."""


@dataclass(frozen=True)
class CircuitView:
    """A method's window on one cell.

    Attributes:
        model: The model, with its parts and graph.
        train: Examples to discover with, if the method needs ``train``.
        validation: Examples to choose parameters with, if it needs ``validation``.
        level: What is to be scored.
        seed: Seed of the cell; ``generator`` draws from it.
        batch_size: Pairs a batch.
        padded: Batches hold several lengths, padded.
        batch_tokens: Tokens a batch, at most.
        counter: Counts passes; the verbs do it by themselves.
        progress: Shows how far the work has come.
        truth: What is known of the model's mechanism; for controls alone, None for every other method.
    """

    model: LanguageModel
    train: Sequence[EncodedPair]
    validation: Sequence[EncodedPair]
    level: Level = Level.EDGE
    seed: int = 0
    batch_size: int = 20
    padded: bool = False
    batch_tokens: int = MAX_TOKENS
    counter: PassCounter = field(default_factory=NoCounter)
    progress: Progress = no_progress
    truth: TaskTruth | None = None

    @property
    def graph(self) -> Graph:
        """The model's graph."""
        return self.model.graph

    @property
    def generator(self) -> np.random.Generator:
        """A new generator from the cell's seed."""
        return np.random.default_rng(self.seed)

    def attribution(
        self,
        ablation: Ablation = Ablation.COUNTERFACTUAL,
        variant: Variant = "mibench",
        *,
        processed: bool = False,
        **options: Any,
    ) -> Attribution:
        """Options of an attribution, with the cell's batches.

        Args:
            ablation: What edges are compared with.
            variant: ``mib``: Gemma 2's norm after attention is ignored.
            processed: Zero is that of processed weights; see ``engine.base.constants_for``.
            **options: Other fields of ``engine.attribution.edges.Attribution``.
        """
        return Attribution(
            constants=self.constants(ablation, processed=processed),
            post_norm="ignored" if variant == "mib" else "linearised",
            batch_size=self.batch_size,
            padded=self.padded,
            batch_tokens=self.batch_tokens,
            **options,
        )

    def attribute(
        self,
        alphas: Sequence[float] = (1.0,),
        ablation: Ablation = Ablation.COUNTERFACTUAL,
        variant: Variant = "mibench",
        rules: BackwardRules | None = None,
    ) -> NDArray[np.float64]:
        """Attribution scores of the cell's level from the training examples, shaped for ``scores``.

        Args:
            alphas: Where gradients are taken, from ablated (0) to clean (1) token embeddings; they are averaged.
            ablation: What is compared with.
            variant: ``mib``: as in ``attribution``, and for edges zero is that of processed weights, for nodes and
                neurons the gradient of an MLP is taken at its input.
            rules: Rules by which gradients flow; None: plain gradients.
        """
        mib, edges = variant == "mib", self.level is Level.EDGE
        options = self.attribution(ablation, variant, processed=mib and edges, alphas=tuple(alphas), rules=rules)
        given = (self.model, self.train, options, self.counter, self.progress)
        if edges:
            return attribute_edges(*given)
        nodes = attribute_nodes_like_eap_ig if mib else attribute_nodes
        return nodes(*given, neurons=self.level is Level.NEURON)

    def attribute_examples(self, options: Attribution) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """The same for each training example by itself: its place in ``train``, and its scores.

        Args:
            options: From ``attribution``.
        """
        return attribute_examples(self.model, self.train, options, self.counter, self.progress)

    def constants(self, ablation: Ablation, *, processed: bool = False) -> Constants | None:
        """The constants of an ablation, from the training examples; None for the counterfactual one.

        Args:
            ablation: Which ablation.
            processed: See ``engine.base.constants_for``.
        """
        if ablation in {Ablation.MEAN, Ablation.MEAN_POSITIONAL}:
            self.counter.forward(len(self.train))
        return constants_for(self.model, ablation, self.train, self.batch_size, processed=processed)

    def measure(self, circuits: Sequence[Circuit], ablation: Ablation = Ablation.COUNTERFACTUAL) -> Outcome:
        """Metrics of circuits on the training examples."""
        return self._outcome(self.train, circuits, ablation)

    def evaluate(self, circuits: Sequence[Circuit], ablation: Ablation = Ablation.COUNTERFACTUAL) -> Outcome:
        """Metrics of circuits on the validation examples.

        Raises:
            MethodError: The method did not say that it needs them.
        """
        if not self.validation:
            raise MethodError(
                "There are no validation examples to evaluate on.",
                why="The method does not say that it needs them, so its cell does not name them.",
                do="Add 'validation' to needs in @method(…).",
            )
        return self._outcome(self.validation, circuits, ablation)

    def _outcome(self, pairs: Sequence[EncodedPair], circuits: Sequence[Circuit], ablation: Ablation) -> Outcome:
        options = Evaluation(
            self.constants(ablation),
            batch_size=self.batch_size,
            padded=self.padded,
            batch_tokens=self.batch_tokens,
        )
        return evaluate(self.model, pairs, circuits, options, self.counter, self.progress)

    def scores(self, values: NDArray[Any], **meta: Any) -> CircuitScores:
        """Make an artifact of ``values``, shaped for the cell's level; ``meta`` is kept with it."""
        return CircuitScores(self.graph, self.level, values, d_model=self.model.anatomy.d_model, meta=meta)
