"""Collects what interventions do to the answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mibench.engine.interchange.answers import Decoded, Prompt, decode, gives, label_of, other_answers, prompt_of
from mibench.engine.interchange.generate import continued
from mibench.engine.interchange.options import InterchangeOptions
from mibench.engine.interchange.outputs import Outputs
from mibench.engine.interchange.tape import KeysValues
from mibench.engine.model import LanguageModel
from mibench.tasks.interchange import EncodedInterchange


class Judge:
    """Judges answers of a number of interventions on rows.

    Args:
        model: The model.
        rows: All rows.
        options: How an answer is judged.
        n_interventions: How many.
    """

    def __init__(
        self,
        model: LanguageModel,
        rows: Sequence[EncodedInterchange],
        options: InterchangeOptions,
        n_interventions: int,
    ) -> None:
        shape = (n_interventions, len(rows))
        self._model, self._rows, self._options = model, rows, options
        self._first = np.full(shape, -1)
        self.outputs = Outputs(np.zeros(shape, dtype=bool), np.full(shape, np.nan), np.full(shape, np.nan))

    def take(
        self, chosen: Sequence[int], prompts: Sequence[Prompt], stream: Tensor, kept: list[KeysValues] | None
    ) -> None:
        """Judge the labels.

        Args:
            chosen: Which interventions.
            prompts: Base prompts followed by labels.
            stream: Before the final norm at the answers, ``[prompts, chosen, answers, d_model]``.
            kept: Keys and values at the prompts, where answers are generated.
        """
        decoded = decode(self._model, stream, prompts, self._rows)
        at = np.ix_(chosen, [prompt.row for prompt in prompts])
        labelled = np.array([bool(label_of(self._rows[prompt.row])) for prompt in prompts])
        self._first[at] = decoded.greedy[:, :, 0].T
        self.outputs.label_logprob[at] = np.where(labelled[:, None], decoded.logprob.sum(-1), np.nan).T
        self.outputs.contrast[at] = decoded.contrast.T
        self.outputs.correct[at] = (
            self._matching(decoded, prompts) if kept is None else self._accepted(decoded, prompts, kept)
        )

    def take_other(self, chosen: Sequence[int], prompt: Prompt, stream: Tensor) -> None:
        """Judge an answer besides the label: ``prompt`` is a base prompt followed by it."""
        decoded = decode(self._model, stream, [prompt], self._rows)
        self.outputs.correct[chosen, prompt.row] |= self._matching(decoded, [prompt])[:, 0]

    def open(self, row: int) -> list[tuple[Prompt, list[int]]]:
        """Prompts that show whether a row's other answers are given, and the interventions that begin like them."""
        if self._options.new_tokens is not None:
            return []
        found = []
        for answer in other_answers(self._rows[row]):
            begun = ~self.outputs.correct[:, row] & (self._first[:, row] == answer[0])
            found.append((prompt_of(row, self._rows[row], answer), np.flatnonzero(begun).tolist()))
        return [(prompt, interventions) for prompt, interventions in found if interventions]

    def _matching(self, decoded: Decoded, prompts: Sequence[Prompt]) -> np.ndarray:
        """Whether each is right, ``[interventions, prompts]``."""
        return np.stack(
            [
                gives(greedy, prompt, self._rows[prompt.row].accepted)
                for greedy, prompt in zip(decoded.greedy, prompts, strict=True)
            ],
            axis=1,
        )

    def _accepted(self, decoded: Decoded, prompts: Sequence[Prompt], kept: list[KeysValues]) -> np.ndarray:
        """Whether each is right, ``[interventions, prompts]``."""
        options = self._options
        if options.new_tokens is None or options.decode is None or options.accepts is None:
            raise RuntimeError("keys and values are kept only to generate")
        first = torch.from_numpy(decoded.greedy[:, :, 0].reshape(-1)).to(self._model.device)
        texts = [options.decode(ids) for ids in continued(self._model, kept, first, options.new_tokens)]
        each = len(texts) // len(prompts)
        judged = [
            options.accepts(text, self._rows[prompts[place // each].row].expected) for place, text in enumerate(texts)
        ]
        return np.array(judged, dtype=bool).reshape(len(prompts), each).T
