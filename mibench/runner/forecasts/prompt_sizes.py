"""How many examples a task has and how long its prompts are, before any tokenizer is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from mibench.core.errors import MibenchError
from mibench.core.specs import Track
from mibench.runner.hub_data import data_is_here, hub_data
from mibench.tasks.load import load_task
from mibench.tasks.variable_task import load_variable_task

CHARACTERS_A_TOKEN = 4.0
"""Of English text, about."""
_SAMPLE = 64


@dataclass(frozen=True)
class PromptSizes:
    """Prompts of a task.

    Attributes:
        tokens: Tokens of a prompt, about; BOS included.
        fresh: Those behind what a prompt and its counterfactual share, about.
    """

    tokens: float
    fresh: float


@cache
def prompt_sizes(task: str, split: str, track: Track) -> PromptSizes | None:
    """Sizes of the first prompts of a split; nothing is fetched.

    Returns:
        Sizes; None where the data are not here, and for dictionaries, which read a text.
    """
    rows = _rows(task, split, track, _SAMPLE)
    if not rows:
        return None
    return PromptSizes(*_means([(_tokens(clean), _tokens(clean[_shared(clean, other) :])) for clean, other in rows]))


@cache
def n_examples(task: str, split: str, track: Track, limit: int | None) -> int | None:
    """Examples of a split under a limit, which counts each counterfactual set for itself; None: not known here."""
    rows = _rows(task, split, track, limit)
    return None if rows is None else len(rows)


_Prompt = str | tuple[int, ...]


def _rows(task: str, split: str, track: Track, limit: int | None) -> list[tuple[_Prompt, _Prompt]] | None:
    """Prompts, each with its counterfactual; with none where no positions are shared."""
    data = hub_data(task, track)
    if track is Track.SAE or (data is not None and not data_is_here(data)):
        return None
    try:
        if track is Track.VARIABLE:
            return [(row.base_prompt, "") for row in load_variable_task(task).rows(split, limit)]
        return [(pair.clean, pair.counterfactual) for pair in load_task(task).pairs(split, limit)]
    except MibenchError:  # its cells will say so
        return None


def _means(lengths: Sequence[tuple[float, float]]) -> tuple[float, float]:
    whole, fresh = (sum(column) / len(lengths) for column in zip(*lengths, strict=True))
    return 1 + whole, max(2.0, fresh)


def _tokens(prompt: _Prompt) -> float:
    return len(prompt) / CHARACTERS_A_TOKEN if isinstance(prompt, str) else float(len(prompt))


def _shared(one: _Prompt, other: _Prompt) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
