"""Which data the test split of a task is made of, and which tasks cannot be private."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from mibench.core.errors import DataError
from mibench.core.registry import Registry
from mibench.core.specs import Track
from mibench.tasks.load import REGISTRY
from mibench.tasks.probing.settings import AblationSettings, ProbingSettings
from mibench.tasks.probing.shipped import SETS
from mibench.tasks.sae.causal import CausalTask
from mibench.tasks.sae.core import CoreTask
from mibench.tasks.sae.dictionary_task import DICTIONARY_TASKS, load_dictionary_task
from mibench.tasks.sae.explainability import ExplainabilityTask
from mibench.tasks.variable_task import VARIABLE_TASKS

Kind = Literal["generated", "hub", "labelled", "text"]
_REGISTRIES: dict[Track, Registry] = {
    Track.CIRCUIT: REGISTRY,
    Track.VARIABLE: VARIABLE_TASKS,
    Track.SAE: DICTIONARY_TASKS,
}
_GENERATED: dict[Track, dict[str, str]] = {
    Track.CIRCUIT: {
        "arithmetic-addition": "arithmetic-addition",
        "arithmetic-digit": "arithmetic-digit",
        "arithmetic-subtraction": "arithmetic-subtraction",
        "greater-than": "greater-than",
        "greater-than-digit": "greater-than",
        "ioi": "ioi",
        "mcqa": "mcqa",
    },
    Track.VARIABLE: {
        "arithmetic-addition": "arithmetic-addition-interchange",
        "arithmetic-digit": "arithmetic-digit-interchange",
        "greater-than-digit": "greater-than-interchange",
        "ioi": "ioi",
        "mcqa": "mcqa-interchange",
        "ravel": "ravel",
    },
}
_KNOWN = "mibench.tasks.known."
_FAMILIES = {
    "absorption": "Its words are public: letters and kinds, and words of the model's own tokenizer.",
    "autointerp": "It asks a judge, which a sandbox without network does not have.",
    "probing": "Its texts are those of a public package.",
    "synthetic": "Its samples are drawn from a seed that everybody has; a salted one for those that are scored would "
    "make it private, and is not built.",
}


@dataclass(frozen=True)
class Need:
    """A data set that has to be replaced.

    Attributes:
        kind: Where its private rows come from.
        name: The generated set, the hub task, or the source of labelled texts; of text ``""``: any corpus.
    """

    kind: Kind
    name: str


def needs(track: Track, task: str) -> tuple[Need, ...]:
    """Return what has to be replaced so that a task is private.

    Raises:
        UsageError: There is no such task in the track.
        DataError: It cannot be private; the cause says why.
    """
    component = _REGISTRIES[track].get(task)
    if component.module.startswith(_KNOWN):
        why = "Its prompts are those of a small public program, and the mechanism that is looked for is published."
        raise _refused(task, why)
    if track is Track.SAE:
        return _of_dictionaries(task)
    if task.startswith("mib/"):
        return (Need("hub", task),)
    if task not in _GENERATED[track]:
        raise _refused(task, "mibench does not know how to make other rows of it.")
    return (Need("generated", _GENERATED[track][task]),)


def _of_dictionaries(task: str) -> tuple[Need, ...]:
    found = load_dictionary_task(task)
    settings: Any = found.settings
    if isinstance(settings, CoreTask | ExplainabilityTask):
        return (Need("text", ""),)
    if isinstance(settings, CausalTask):
        return needs(Track.VARIABLE, settings.task)
    if isinstance(settings, AblationSettings):
        return tuple(Need("labelled", one.source) for one in settings.sets)
    if isinstance(settings, ProbingSettings) and settings.collection == "shipped":
        sources = {SETS[name].source for name in settings.sets or SETS}
        return tuple(Need("labelled", source) for source in sorted(sources))
    raise _refused(task, _FAMILIES.get(found.family, "mibench does not know how to make other data of it."))


def _refused(task: str, why: str) -> DataError:
    return DataError(f"The task '{task}' cannot be private.", why=why, do="Leave it out, or score its public rows.")
