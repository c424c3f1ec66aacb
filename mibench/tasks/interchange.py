"""Rows of the causal-variable track: a base, a source, and what the causal model says of the interchange."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Setting = Mapping[str, Any]
"""Values of variables of a causal model, by name."""
Ids = tuple[int, ...]


@dataclass(frozen=True)
class InterchangeRow:
    """A base prompt and the source of an interchange intervention.

    Attributes:
        id: Name of the row, unique in its counterfactual set.
        set: Name of the counterfactual set.
        base: Inputs of the causal model for the base prompt.
        source: Inputs for the source prompt.
        base_prompt: Text that the network reads.
        source_prompt: Text whose activations are put in.
    """

    id: str
    set: str
    base: Setting
    source: Setting
    base_prompt: str
    source_prompt: str


@dataclass(frozen=True)
class LinearTarget:
    """What a task with a linear target (IOI) predicts of one row; coefficients come from mibench, per model.

    Attributes:
        tokens: Ids of the two answers whose logits are compared: first minus second.
        signs: Signals of the variables after the interchange on the cell's variable, each ±1.
        source_signs: Signals when everything is taken from the source; for fitting.
    """

    tokens: tuple[int, int]
    signs: tuple[float, ...]
    source_signs: tuple[float, ...]


@dataclass(frozen=True)
class EncodedInterchange:
    """A row as token ids, labelled for one variable (or several, interchanged together).

    Attributes:
        id: Name of the row, unique in its set.
        set: Name of the counterfactual set.
        base: Ids of the base prompt, BOS included.
        source: Ids of the source prompt, BOS included; it may have another length.
        base_positions: Token indices in ``base`` by name of the position selector, ascending.
        source_positions: Token indices in ``source``; as many for each selector.
        accepted: Answers that are right after the interchange, as token ids; the first is the label for training.
        base_accepted: Answers that are right for the base prompt by itself.
        source_accepted: Answers that are right for the source prompt by itself; none: it is not asked.
        cause: The interchange is to change the answer, as it is written; False: it must stay (isolate).
        expected: The causal model's output after the interchange, for a checker of text.
        target: For tasks with a linear target.
        base_expected: Output of the causal model for the base prompt by itself.
        source_expected: Output of the causal model for the source prompt by itself.
        base_value: Value of the cell's variable for the base prompt, as text; of several, joined by ``+``.
        source_value: Its value for the source prompt.
        group: What the row is about (template, entity …), for held-out splits and reports.
    """

    id: str
    set: str
    base: Ids
    source: Ids
    base_positions: Mapping[str, Ids]
    source_positions: Mapping[str, Ids]
    accepted: tuple[Ids, ...]
    base_accepted: tuple[Ids, ...]
    source_accepted: tuple[Ids, ...]
    cause: bool
    expected: Any = None
    base_expected: Any = None
    source_expected: Any = None
    base_value: str = ""
    source_value: str = ""
    target: LinearTarget | None = None
    group: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> Ids:
        """The answer that training teaches."""
        return self.accepted[0]
