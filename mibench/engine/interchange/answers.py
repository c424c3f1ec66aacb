"""Which answers are judged, and how right they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mibench.engine.model import LanguageModel
from mibench.tasks.interchange import EncodedInterchange, Ids

PIECE = 128
"""Answers whose logits are computed at once: a vocabulary is long."""


@dataclass(frozen=True)
class Prompt:
    """A base prompt followed by all but the last token of an answer.

    Attributes:
        row: Which row, in the list of all.
        ids: Token ids.
        length: Tokens of the base prompt.
    """

    row: int
    ids: Ids
    length: int

    @property
    def forced(self) -> Ids:
        """The answer's tokens."""
        return self.ids[self.length :]


def label_of(row: EncodedInterchange) -> Ids:
    """The label, empty where nothing is accepted."""
    return row.accepted[0] if row.accepted else ()


def prompt_of(place: int, row: EncodedInterchange, answer: Ids) -> Prompt:
    """The prompt that shows whether greedy decoding gives ``answer``."""
    return Prompt(place, (*row.base, *answer[:-1]), len(row.base))


def other_answers(row: EncodedInterchange) -> list[Ids]:
    """Accepted answers that need a prompt besides the label's: others begin otherwise only in their last token."""
    prompts, found = [label_of(row)[:-1]], []
    for answer in sorted(row.accepted[1:], key=len, reverse=True):
        if not any(known[: len(answer) - 1] == answer[:-1] for known in prompts):
            prompts.append(answer[:-1])
            found.append(answer)
    return found


@dataclass(frozen=True)
class Decoded:
    """What some prompts give under some interventions.

    Attributes:
        greedy: Likeliest token after each answer's beginning, ``[rows, interventions, answers]``.
        logprob: Log-probability of the label's tokens there, in nats, float64, 0 beyond; likewise.
        contrast: Logit of the first minus that of the second token of the target after the prompt, float64,
            ``[rows, interventions]``; nan without a target.
    """

    greedy: np.ndarray
    logprob: np.ndarray
    contrast: np.ndarray


def decode(
    model: LanguageModel, stream: Tensor, prompts: Sequence[Prompt], rows: Sequence[EncodedInterchange]
) -> Decoded:
    """Read answers from the stream before the final norm, ``[prompts, interventions, answers, d_model]``."""
    shape, count = stream.shape[:3], stream.shape[1] * stream.shape[2]
    labels = torch.full((shape[0], shape[2]), -1)
    pairs = torch.full((shape[0], 2), -1)
    for place, prompt in enumerate(prompts):
        row = rows[prompt.row]
        label = label_of(row)[: shape[2]]
        labels[place, : len(label)] = torch.tensor(label, dtype=torch.long)
        if row.target is not None:
            pairs[place] = torch.tensor(row.target.tokens)
    labels = labels[:, None].expand(shape).flatten().to(model.device)
    pairs = pairs.repeat_interleave(count, 0).to(model.device)
    greedy, logprob, contrast = _read(model, stream.flatten(0, 2), labels, pairs)
    return Decoded(
        greedy.view(shape).cpu().numpy(), logprob.view(shape).cpu().numpy(), contrast.view(shape)[:, :, 0].cpu().numpy()
    )


def _read(model: LanguageModel, stream: Tensor, labels: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    found = []
    for part, label, pair in zip(*(torch.split(one, PIECE) for one in (stream, labels, pairs)), strict=True):
        logits = logits_of(model, part).to(model.accumulate)
        chosen = logits.gather(1, label.clamp(min=0)[:, None])[:, 0] - logits.logsumexp(-1)
        both = logits.gather(1, pair.clamp(min=0)).double()
        contrast = (both[:, 0] - both[:, 1]).masked_fill(pair[:, 0] < 0, torch.nan)
        found.append((logits.argmax(-1), chosen.double().masked_fill(label < 0, 0.0), contrast))
    greedy, logprob, contrast = (torch.cat(parts) for parts in zip(*found, strict=True))
    return greedy, logprob, contrast


def logits_of(model: LanguageModel, stream: Tensor) -> Tensor:
    """Logits ``[..., vocab]`` of the stream before the final norm, ``[..., d_model]``."""
    return model.anatomy.logits(model.anatomy.final_norm(stream)).to(model.device)


def gives(greedy: np.ndarray, prompt: Prompt, accepted: Sequence[Ids]) -> np.ndarray:
    """Does greedy decoding give an accepted answer, as far as a prompt shows it?

    Args:
        greedy: Likeliest tokens, ``[interventions, answers]``.
        prompt: After which beginnings they are the likeliest.
        accepted: Token ids.

    Returns:
        bool, ``[interventions]``.
    """
    found = np.zeros(len(greedy), dtype=bool)
    for answer in accepted:
        size = len(answer)
        if 0 < size <= greedy.shape[1] and prompt.forced[: size - 1] == answer[:-1]:
            found |= (greedy[:, :size] == np.array(answer)).all(-1)
    return found
