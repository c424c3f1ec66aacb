"""What fixes a number: conventions, references to task, model and method, and the cell that joins them."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

from mibench.core.hashing import canonical_json, digest
from mibench.core.sites import Component

Bos = Literal["prepend", "as-given"]


def _as_json(params: dict[str, Any]) -> dict[str, Any]:
    """Bring parameters into the form in which a record gives them back; sets and NaN have no stable form."""
    try:
        plain: dict[str, Any] = json.loads(canonical_json(params))
    except TypeError as error:
        raise ValueError(str(error)) from error
    return plain


Params = Annotated[dict[str, Any], AfterValidator(_as_json)]


class Frozen(BaseModel):
    """An immutable pydantic model that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Track(StrEnum):
    """What kind of artifact is scored."""

    CIRCUIT = "circuit"
    VARIABLE = "variable"
    SAE = "sae"


class Level(StrEnum):
    """What a circuit is made of."""

    EDGE = "edge"
    NODE = "node"
    NEURON = "neuron"


class Ablation(StrEnum):
    """What an edge outside the circuit carries in place of its source's value."""

    COUNTERFACTUAL = "counterfactual"
    """The value of the run on the counterfactual prompt."""
    ZERO = "zero"
    """Zero; biases that are in no node stay."""
    MEAN = "mean"
    """The mean over the real tokens of the counterfactual prompts of the train split."""
    MEAN_POSITIONAL = "mean-positional"
    """The same mean, for each position by itself."""


class Ranking(StrEnum):
    """How scores order the edges."""

    SIGNED = "signed"
    """Highest score first (MIB reads CPR from it)."""
    ABSOLUTE = "absolute"
    """Highest magnitude first (MIB reads CMD from it)."""


class Convention(StrEnum):
    """Whose rules compute the numbers."""

    MIBENCH = "mibench"
    MIB = "mib"
    SAEBENCH = "saebench"


class TaskRef(Frozen):
    """The examples that a cell uses, by content."""

    name: str
    version: int
    split: str
    limit: int | None = None
    """Number of evaluated examples, the first of the split."""
    digest: str
    """Digest of the evaluated examples as token ids, so that tokenizer and BOS are in it."""
    train_limit: int | None = None
    """Number of training examples that the numbers depend on; None: they depend on none."""
    train_digest: str | None = None
    """Digest of these, likewise."""
    validation_limit: int | None = None
    """Number of validation examples that the method sees; None: it sees none."""
    validation_digest: str | None = None
    """Digest of these, likewise."""


class ModelRef(Frozen):
    """The network of a cell, by content."""

    name: str
    digest: str
    dtype: str = "float32"
    attention: str = "sdpa"


class MethodRef(Frozen):
    """The method of a cell, or the artifact that was handed in for it."""

    name: str
    version: int | None = None
    params: Params = {}
    """JSON values only; tuples become lists."""
    seed: int | None = None
    """None: the method draws nothing."""
    code_digest: str | None = None
    """Digest of the user's own modules; None for a built-in method."""
    artifact_digest: str | None = None
    """Digest of an artifact that was handed in; None where the method made it."""


class VariableDefaults(Frozen):
    """What a task gives methods of the variable track that are told nothing else."""

    size: int | str
    """Features of the variable's subspace, a number or a fraction of the width such as ``d/8``."""
    epochs: int
    """Times that each row is seen."""
    batch: int
    """Rows of a step."""
    lr: float
    """Learning rate."""


class VariableRef(Frozen):
    """The causal variable of a cell, and the sites at which it may live."""

    name: str
    """Name in the task's causal model; several that are interchanged together are joined by ``+``."""
    component: Component = Component.RESIDUAL_POST
    """What is replaced at a site."""
    positions: tuple[str, ...]
    """Position selectors, in the order of the task."""
    layers: tuple[int, ...] | None = None
    """Layers, ascending; None: all."""
    heads: tuple[tuple[int, int], ...] = ()
    """Layer and head of heads that are intervened on one by one and all together; none: every head by itself."""
    target_heads: tuple[tuple[int, int], ...] = ()
    """Heads by which a linear target is fitted; none: the task has no such target."""
    defaults: VariableDefaults | None = None
    """What the task gives methods that are told nothing else; numbers depend on it."""
    oracle: bool = False
    """Whether a selector reads the gold answer."""


class DictionaryRef(Frozen):
    """Where a dictionary of a cell reads and writes, and the text that goes with it."""

    hook: str
    """What it reads, such as ``residual-post.L15``."""
    output: str | None = None
    """What it reconstructs, for a transcoder; None: what it reads."""
    corpus: str
    """Text that its method trained on, and that tasks without prompts of their own are scored on."""
    context: int
    """Tokens of a context, BOS included."""


class Cell(Frozen):
    """One task, model, method, parameters, seed and conventions.

    Its id hashes what fixes the per-example tables and nothing else: batch size, threads, device and library
    versions are provenance.
    """

    track: Track
    task: TaskRef
    model: ModelRef
    method: MethodRef
    level: Level | None = None
    ablation: Ablation | None = None
    bos: Bos = "prepend"
    convention: Convention = Convention.MIBENCH
    variable: VariableRef | None = None
    """What is looked for in the variable track; None in the others, and then no part of the id."""
    dictionary: DictionaryRef | None = None
    """Where a dictionary works, in the SAE track; None in the others, and then no part of the id."""

    @property
    def id(self) -> str:
        """First 32 hex digits of the sha256 of the canonical JSON."""
        left_out = {name for name in ("variable", "dictionary") if getattr(self, name) is None}
        return digest(self.model_dump(mode="json", exclude=left_out))[:32]
