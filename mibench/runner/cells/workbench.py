"""One loaded model with the examples that cells ask for, each loaded and encoded once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from mibench.core.errors import UsageError
from mibench.core.hashing import digest
from mibench.core.specs import Bos, ModelRef, TaskRef
from mibench.core.truth import TRUTH_FILE, TaskTruth, read_subspaces
from mibench.engine.model import LanguageModel
from mibench.engine.selfcheck import self_check
from mibench.models.load import HFModel, load_hf
from mibench.models.placement import main_device, weight_sums
from mibench.runner.dictionaries.bench import DictionaryBench
from mibench.runner.grounds import NO_MODEL
from mibench.tasks.encode import EncodedPair, bos_policy, encode, encoded_digest
from mibench.tasks.interchange import EncodedInterchange
from mibench.tasks.load import load_task
from mibench.tasks.task import Task
from mibench.tasks.variable_task import VariableTask, load_variable_task
from mibench.tracks.interchange_rows import SolvedRows
from mibench.tracks.linear_target import LinearFit
from mibench.tracks.truth import check_truth


@dataclass(frozen=True)
class Examples:
    """Encoded examples of one split.

    Attributes:
        split: Which split.
        pairs: In order.
        digest: Digest of the token ids.
        bos: How BOS was treated.
    """

    split: str
    pairs: tuple[EncodedPair, ...]
    digest: str
    bos: Bos


@dataclass(frozen=True)
class Labelled:
    """Rows of one split, labelled for a causal variable.

    Attributes:
        rows: In order, set by set; those that the model does not solve included.
        left_out: Number of rows left out by set and reason.
        digest: Digest of the rows.
    """

    rows: tuple[EncodedInterchange, ...]
    left_out: Mapping[tuple[str, str], int]
    digest: str


@dataclass(frozen=True)
class Asked:
    """A causal variable, and the positions that its rows must have."""

    variable: str
    positions: tuple[str, ...]


class Workbench:
    """A checked model and the examples encoded for it.

    Attributes:
        hf: The loaded model.
        model: The same, ready for interventions.
        spoiled: A method changed it, so it is not to be used again.
        solved: Labelled rows that the model solves, as they were found.
        fits: Linear targets, likewise.
        dictionaries: What cells of the SAE track share.

    Args:
        hf: A loaded model; it is checked by running it through the engine.

    Raises:
        ModelError: The engine does not reproduce the model.
    """

    def __init__(self, hf: HFModel) -> None:
        self.hf = hf
        self.model = LanguageModel(hf.model)
        self_check(self.model)
        self.spoiled = False
        self._checked_truths: set[str] = set()
        self._tasks: dict[str, Task] = {}
        self._examples: dict[tuple[str, str, int | None], Examples] = {}
        self._variable_tasks: dict[str, VariableTask] = {}
        self._labelled: dict[tuple[str, str, int | None, Asked], Labelled] = {}
        self.solved: dict[tuple[object, ...], SolvedRows] = {}
        self.fits: dict[tuple[object, ...], LinearFit] = {}
        self.dictionaries = DictionaryBench()

    @classmethod
    def load(cls, ref: str, *, dtype: str, device: str, attention: str | None) -> Workbench:
        """Load a model and check it.

        Raises:
            UsageError: Unknown model, dtype, device or attention kernel.
            ModelError: It cannot be loaded, or fails the check.
        """
        return cls(load_hf(ref, dtype=dtype, device=device, attention=attention))

    def state(self) -> tuple[float, ...]:
        """Numbers that change when weights or torch's settings are changed, or hooks are left on the model."""
        model = self.hf.model
        sums = weight_sums(model)
        hooks = sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())  # noqa: SLF001
        return (*sums, float(hooks), float(torch.is_grad_enabled()), float(torch.get_default_dtype().itemsize))

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return self.model.device

    @property
    def places(self) -> tuple[torch.device, ...]:
        """Where the layers compute."""
        return tuple(self.model.places)

    @property
    def accumulate(self) -> torch.dtype:
        """Type in which dictionaries are computed with."""
        return self.model.accumulate

    @property
    def model_ref(self) -> ModelRef:
        """The model, as cells name it."""
        hf = self.hf
        return ModelRef(name=hf.name, digest=hf.digest, dtype=hf.dtype, attention=hf.attention)

    def truth(self, ref: str) -> TaskTruth | None:
        """What is known of the model's mechanism for the task ``ref``; None where nothing is.

        Raises:
            DataError: It speaks of edges, heads or subspaces that the model does not have.
        """
        known = None if self.hf.truth is None else self.hf.truth.tasks.get(ref)
        if known is not None and ref not in self._checked_truths:
            check_truth(known, self.model.graph, self.subspaces, self.hf.folder / TRUTH_FILE)
            self._checked_truths.add(ref)
        return known

    @cached_property
    def subspaces(self) -> Mapping[str, NDArray[np.float32]]:
        """Known subspaces of causal variables by name, ``[k, d_model]``; none where the model's folder has none.

        Raises:
            DataError: Their file cannot be read.
        """
        return read_subspaces(self.hf.folder)

    def task(self, ref: str) -> Task:
        """The task ``ref``, loaded once."""
        if ref not in self._tasks:
            self._tasks[ref] = load_task(ref)
        return self._tasks[ref]

    @property
    def _longest(self) -> int | None:
        found = getattr(self.hf.model.config, "max_position_embeddings", None)
        return None if found is None else int(found)

    def examples(self, ref: str, split: str, limit: int | None) -> Examples:
        """Examples of a split, encoded once.

        Raises:
            UsageError: Unknown task or split, or text without a tokenizer.
            DataError: The examples cannot be used with this model.
        """
        key = (ref, split, limit)
        if key not in self._examples:
            pairs = self.task(ref).pairs(split, limit, self.hf.tokenizer)
            encoded = encode(pairs, self.hf.tokenizer, self.hf.vocab_size, max_length=self._longest)
            self._examples[key] = Examples(split, tuple(encoded), encoded_digest(encoded), bos_policy(pairs))
        return self._examples[key]

    def variable_task(self, ref: str) -> VariableTask:
        """The task ``ref`` with its causal model, loaded once."""
        if ref not in self._variable_tasks:
            self._variable_tasks[ref] = load_variable_task(ref)
        return self._variable_tasks[ref]

    def labelled(self, ref: str, split: str, limit: int | None, asked: Asked) -> Labelled:
        """Rows of a split labelled for a variable, encoded once.

        Raises:
            UsageError: Unknown task, split or variable, or a model without a tokenizer.
            DataError: The rows cannot be used with this model, or do not tell the variable from others.
        """
        key = (ref, split, limit, asked)
        if key not in self._labelled:
            task = self.variable_task(ref)
            if self.hf.tokenizer is None:
                raise UsageError(
                    f"{ref} is text, and {self.hf.name} has no tokenizer.",
                    why="Its prompts have to be turned into token ids.",
                    do="Use a model with a tokenizer.",
                )
            found = task.encoded(
                split, limit, asked.variable, self.hf.tokenizer, self.hf.vocab_size, positions=asked.positions
            )
            self._labelled[key] = Labelled(found.rows, found.left_out, found.digest)
        return self._labelled[key]

    def task_ref(self, ref: str, evaluated: Examples, train: Examples | None, validation: Examples | None) -> TaskRef:
        """The task, as cells name it; ``train`` and ``validation``: what the numbers depend on besides."""
        task = self.task(ref)
        return TaskRef(
            name=task.name,
            version=task.version,
            split=evaluated.split,
            limit=len(evaluated.pairs),
            digest=evaluated.digest,
            train_limit=None if train is None else len(train.pairs),
            train_digest=None if train is None else train.digest,
            validation_limit=None if validation is None else len(validation.pairs),
            validation_digest=None if validation is None else validation.digest,
        )


class NoModel(Workbench):
    """The bench of tasks whose data are generated.

    Args:
        device: Where to compute.
    """

    def __init__(self, device: str) -> None:
        self.spoiled = False
        self.dictionaries = DictionaryBench()
        self._device = torch.device(main_device(device))

    def state(self) -> tuple[float, ...]:
        """Nothing that a method could change, but torch's settings."""
        return (float(torch.is_grad_enabled()), float(torch.get_default_dtype().itemsize))

    @property
    def device(self) -> torch.device:
        """Where to compute."""
        return self._device

    @property
    def places(self) -> tuple[torch.device, ...]:
        """Where to compute."""
        return (self._device,)

    @property
    def accumulate(self) -> torch.dtype:
        """Type in which dictionaries are computed with."""
        return torch.float32

    @property
    def model_ref(self) -> ModelRef:
        """No model, as cells name it."""
        return ModelRef(name=NO_MODEL, digest=digest(NO_MODEL))
