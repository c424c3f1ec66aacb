"""From pairs to token ids: one place for BOS, lengths and answer tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from mibench.core.errors import DataError, UsageError
from mibench.core.hashing import digest
from mibench.core.specs import Bos
from mibench.tasks.pairs import Answer, Metric, Pair, Prompt


class TextEncoder(Protocol):
    """What tasks need of a tokenizer."""

    @property
    def bos_id(self) -> int | None:
        """Id of the beginning-of-sequence token; None where the tokenizer has none."""

    def encode(self, text: str) -> Sequence[int]:
        """Return the ids of ``text`` without special tokens."""


class OffsetEncoder(TextEncoder, Protocol):
    """What tasks need of a tokenizer to find a word's tokens."""

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Return the first and the after-last character of each token of :meth:`encode`."""


@dataclass(frozen=True)
class EncodedPair:
    """A pair as token ids; clean and counterfactual are equally long.

    Attributes:
        id: Name of the example.
        clean: Ids of the prompt, BOS included.
        counterfactual: Ids of the counterfactual prompt.
        correct: Ids of the correct answers; one for ``logit_diff``.
        incorrect: Ids of the answers they are compared with; one for ``logit_diff``.
        metric: See :class:`mibench.tasks.pairs.Pair`.
    """

    id: str
    clean: tuple[int, ...]
    counterfactual: tuple[int, ...]
    correct: tuple[int, ...]
    incorrect: tuple[int, ...]
    metric: Metric = "logit_diff"

    @property
    def length(self) -> int:
        """Number of tokens of either prompt."""
        return len(self.clean)

    @property
    def first_difference(self) -> int | None:
        """First position where the prompts differ; None where they are equal."""
        both = zip(self.clean, self.counterfactual, strict=True)
        return next((position for position, (one, other) in enumerate(both) if one != other), None)


def bos_policy(pairs: Sequence[Pair]) -> Bos:
    """Return how BOS is treated: ``prepend`` for text prompts, ``as-given`` for token ids.

    Raises:
        DataError: Some prompts are text and others token ids.
    """
    kinds = {isinstance(prompt, str) for pair in pairs for prompt in (pair.clean, pair.counterfactual)}
    if len(kinds) > 1:
        raise DataError(
            "The pairs mix text and token ids.",
            why="Text gets a BOS token and token ids do not, so one set of pairs needs one kind.",
            do="Write all prompts as text, or all as token ids.",
        )
    return "prepend" if kinds == {True} else "as-given"


def encode(
    pairs: Sequence[Pair], encoder: TextEncoder | None, vocab_size: int, *, max_length: int | None = None
) -> list[EncodedPair]:
    """Turn pairs into token ids for one model.

    Text gets the tokenizer's BOS in front, if it has one; token ids are taken as given. Of an answer's
    text the first token counts. A counterfactual equal to its clean prompt is allowed: it is a control.

    Args:
        pairs: All text, or all token ids.
        encoder: The model's tokenizer; None for a model without one.
        vocab_size: Rows of the model's embedding; ids must be below it.
        max_length: Tokens that the model can read at once; None: no limit is known.

    Raises:
        UsageError: There is text, but no tokenizer.
        DataError: Kinds are mixed, an id is outside the vocabulary, lengths differ, a prompt is longer than the
            model can read, or answers coincide.
    """
    bos_policy(pairs)
    return [_Row(pair, encoder, vocab_size, max_length).encoded() for pair in pairs]


def encoded_digest(pairs: Sequence[EncodedPair]) -> str:
    """Return the sha256 of the encoded pairs, in order."""
    return digest([asdict(pair) for pair in pairs])


@dataclass(frozen=True)
class _Row:
    """One pair on its way to token ids."""

    pair: Pair
    encoder: TextEncoder | None
    vocab_size: int
    max_length: int | None = None

    def encoded(self) -> EncodedPair:
        pair = self.pair
        clean, counterfactual = self._prompt(pair.clean), self._prompt(pair.counterfactual)
        if len(clean) != len(counterfactual):
            why = f"clean has {len(clean)} tokens, counterfactual {len(counterfactual)}."
            raise self._error("has prompts of unequal length", why, "Reword one of them, or drop the row.")
        if self.max_length is not None and len(clean) > self.max_length:
            why = f"It has {len(clean)} tokens; the model reads {self.max_length} at most."
            raise self._error("is too long for this model", why, "Shorten the prompt, or drop the row.")
        correct, incorrect = self._answers(pair.correct), self._answers(pair.incorrect)
        self._check_answers(correct, incorrect)
        return EncodedPair(pair.id, clean, counterfactual, correct, incorrect, pair.metric)

    def _prompt(self, prompt: Prompt) -> tuple[int, ...]:
        if isinstance(prompt, tuple):
            ids = prompt
        else:
            bos = self.encoder.bos_id if self.encoder else None
            ids = (*([] if bos is None else [bos]), *self._encode(prompt))
        if not ids:
            raise self._error("has a prompt without tokens", "The tokenizer gives none.", "Write a longer prompt.")
        return self._known(ids)

    def _answers(self, answer: Answer) -> tuple[int, ...]:
        items = answer if isinstance(answer, tuple) else (answer,)
        return self._known(tuple(item if isinstance(item, int) else self._first_token(item) for item in items))

    def _first_token(self, text: str) -> int:
        ids = self._encode(text)
        if not ids:
            raise self._error("has an answer without tokens", "The tokenizer gives none.", "Write a longer answer.")
        return ids[0]

    def _encode(self, text: str) -> tuple[int, ...]:
        if self.encoder is None:
            raise UsageError(
                "This task is text, and the model has no tokenizer.",
                why=f"Example '{self.pair.id}' has to be turned into token ids.",
                do="Use a model with a tokenizer, or a pairs file with token ids.",
            )
        return tuple(int(token) for token in self.encoder.encode(text))

    def _known(self, ids: tuple[int, ...]) -> tuple[int, ...]:
        for token in ids:
            if not 0 <= token < self.vocab_size:
                why = f"The model's vocabulary ends at {self.vocab_size - 1}."
                raise self._error(f"has token id {token}", why, "Were the ids made with another tokenizer?")
        return ids

    def _check_answers(self, correct: tuple[int, ...], incorrect: tuple[int, ...]) -> None:
        if self.pair.metric == "logit_diff" and (len(correct) != 1 or len(incorrect) != 1):
            why = f"logit_diff compares single tokens; there are {len(correct)} and {len(incorrect)}."
            raise self._error("has several answers", why, "Use the metric prob_diff.")
        both = correct + incorrect
        twice = next((token for token in both if both.count(token) > 1), None)
        if twice is not None:
            why = f"Two of its answers begin with token {twice}, so the metric could not tell them apart."
            raise self._error("has answers that coincide", why, "Choose answers whose first tokens differ.")

    def _error(self, what: str, why: str, do: str) -> DataError:
        return DataError(f"Example '{self.pair.id}' {what}.", why=why, do=do)
