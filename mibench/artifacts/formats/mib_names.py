"""How MIB's causal-variable submissions name folders and files, and what the names are here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from mibench.artifacts.featurizers.operation import refuse
from mibench.core.errors import UsageError
from mibench.core.sites import Component, Site

TASKS: Mapping[str, str] = MappingProxyType(
    {
        "4_answer_MCQA": "mib/mcqa",
        "ARC_easy": "mib/arc-easy",
        "arithmetic": "mib/arithmetic-addition",
        "ravel_task": "mib/ravel",
        "ioi_task": "mib/ioi",
    }
)
"""MIB's name of a task, and ours."""

MODELS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "GPT2LMHeadModel": ("gpt2",),
        "Qwen2ForCausalLM": ("qwen2.5-0.5b",),
        "Gemma2ForCausalLM": ("gemma-2-2b",),
        "LlamaForCausalLM": ("llama-3.1-8b-instruct", "llama-3.1-8b", "smollm2-135m"),
        "GPTNeoXForCausalLM": ("pythia-160m",),
    }
)
"""Class that MIB calls a model by, and the models it can mean; MIB's Llama is the Instruct version."""

POSITIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "4_answer_MCQA": ("correct_symbol", "correct_symbol_period", "last_token"),
        "ARC_easy": ("correct_symbol", "last_token"),
        "arithmetic": ("op2_last", "last"),
        "ravel_task": ("entity_last_token", "last_token"),
        "ioi_task": ("all",),
    }
)
"""Ids of the token positions that MIB itself defines for a task."""

OUR_POSITIONS: Mapping[str, str] = MappingProxyType({"last_token": "last", "entity_last_token": "entity_last"})
"""What these are called here; the other ids are names of positions here too."""

PARTS = ("featurizer", "inverse_featurizer", "indices")
_FOLDER = re.compile(
    r"(?P<task>.{1,80}?)_(?P<model>[A-Za-z0-9]{1,40}(?:ForCausalLM|LMHeadModel))_(?P<variable>.{1,80})"
)
_FILE = re.compile(
    r"(?P<unit>ResidualStream|AttentionHead)\(Layer.(?P<layer>\d{1,4}),(?:Head.(?P<head>\d{1,4}),)?Token.(?P<token>.+)\)"
    r"_(?P<part>featurizer|inverse_featurizer|indices)"
)
_POSITION = re.compile(r"[A-Za-z0-9_.+-]{1,100}")


@dataclass(frozen=True)
class Cell:
    """What the name of a folder says.

    Attributes:
        task: MIB's name of the task.
        model: Class of the model.
        variable: The causal variable.
    """

    task: str
    model: str
    variable: str

    @property
    def name(self) -> str:
        """The folder's name."""
        return f"{self.task}_{self.model}_{self.variable}"


@dataclass(frozen=True)
class Unit:
    """Where a triplet acts, in MIB's terms.

    Attributes:
        layer: The layer; MIB's residual stream is what leaves it.
        head: The attention head; None: the residual stream.
        token: Id of the token position.
    """

    layer: int
    head: int | None
    token: str

    @property
    def name(self) -> str:
        """What the files' names begin with."""
        if self.head is None:
            return f"ResidualStream(Layer-{self.layer},Token-{self.token})"
        return f"AttentionHead(Layer-{self.layer},Head-{self.head},Token-{self.token})"

    def site(self, position: str) -> Site:
        """The site here, at a position of ours."""
        component = Component.RESIDUAL_POST if self.head is None else Component.HEAD
        return Site(self.layer, position, component, self.head)


def is_cell(name: str) -> bool:
    """Whether a folder's name is one of MIB's."""
    return _FOLDER.fullmatch(name) is not None


def parse_folder(name: str) -> Cell:
    """Read the name of a folder of triplets.

    Raises:
        ArtifactError: It is none, or of a task that MIB does not have.
    """
    found = _FOLDER.fullmatch(name)
    if found is None:
        do = "Name it task_model_variable, such as 4_answer_MCQA_Gemma2ForCausalLM_answer_pointer."
        raise refuse(f"'{name:.80}' names no task, model and variable.", do)
    if found["task"] not in TASKS:
        raise refuse(f"'{found['task']}' is no task of MIB's causal-variable track.", f"Use one of {', '.join(TASKS)}.")
    return Cell(found["task"], found["model"], found["variable"])


def parse_file(name: str) -> tuple[Unit, str] | None:
    """Return where a file's triplet acts, and which part of it the file is; None: it is no part of one."""
    found = _FILE.fullmatch(name)
    if found is None or (found["unit"] == "AttentionHead") != (found["head"] is not None):
        return None
    head = None if found["head"] is None else int(found["head"])
    return Unit(int(found["layer"]), head, found["token"]), found["part"]


def is_position(name: str) -> bool:
    """Whether a site can have a position of this name."""
    return _POSITION.fullmatch(name) is not None


def model_of(cell: Cell, stated: str | None) -> str:
    """Return the name of the model, which has to be stated where the class fits several.

    Raises:
        UsageError: It is not stated, or another class is stated.
    """
    fitting = MODELS.get(cell.model, ())
    if stated is None:
        if len(fitting) == 1:
            return fitting[0]
        why = f"{cell.model} can be {', '.join(fitting)}." if fitting else f"{cell.model} is no class that MIB has."
        raise UsageError(f"{cell.name:.200} does not say its model.", why=why, do="State it with --model.")
    others = [kind for kind, names in MODELS.items() if stated in names and kind != cell.model]
    if others:
        why = f"The folder is named after {cell.model}, and {stated} is a {others[0]}."
        raise UsageError(f"{cell.name:.200} is not for {stated}.", why=why, do="State the model it was made for.")
    return stated


def class_of(model: str) -> str:
    """Return the class by which MIB calls a model.

    Raises:
        ArtifactError: MIB has no name for it.
    """
    for kind, names in MODELS.items():
        if model in names:
            return kind
    raise refuse(f"MIB has no name for the model {model:.80}.", f"Export featurizers of {_listed(MODELS)}.")


def task_of(task: str) -> str:
    """Return MIB's name of a task.

    Raises:
        ArtifactError: MIB has no such task.
    """
    for theirs, ours in TASKS.items():
        if task == ours:
            return theirs
    raise refuse(f"MIB has no task {task:.80}.", f"Export featurizers of {', '.join(TASKS.values())}.")


def _listed(models: Mapping[str, tuple[str, ...]]) -> str:
    return ", ".join(name for names in models.values() for name in names)


def cell_folders(top: Path) -> list[Path]:
    """Return the folders whose name is MIB's: ``top`` itself, or those in it."""
    if is_cell(top.resolve().name):
        return [top]
    return [path for path in folders_in(top) if is_cell(path.name)]


def folders_in(top: Path) -> list[Path]:
    """Return the folders in ``top`` by name; links and hidden ones are left out."""
    found = (path for path in top.iterdir() if path.is_dir() and not path.is_symlink())
    return sorted(path for path in found if not path.name.startswith("."))


def cell_folder(top: Path) -> Path:
    """Return the one folder whose name is MIB's: ``top`` itself, or one in it.

    Raises:
        ArtifactError: There is none, or more than one.
    """
    found = cell_folders(top)
    if not found:
        raise refuse("No folder in it is named task_model_variable.", "Give one of a submission's folders.")
    if len(found) > 1:
        names = ", ".join(path.name for path in found[:8])
        raise refuse(f"It holds {len(found)} folders of featurizers: {names}.", "Name one of them.")
    return found[0]
