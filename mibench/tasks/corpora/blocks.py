"""Documents as token ids, cut into contexts of one length."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mibench.core.errors import DataError, UsageError
from mibench.core.hashing import array_digest, digest
from mibench.tasks.corpora.corpus import Corpus, Document
from mibench.tasks.encode import TextEncoder

_MAX_ID = 2**31 - 1
_NONE = np.zeros(0, np.int32)


@dataclass(frozen=True, eq=False)
class TokenBlocks:
    """Contexts of a corpus' split, all equally long, without padding.

    Attributes:
        ids: Token ids, int32 ``[n, context]``.
        scored: Whether a token counts, bool ``[n, context]``; special tokens do not.
        document: Which document a token is of, counted from 0 in the order of the split, int32 ``[n, context]``; a
            BOS token belongs to what follows it.
        corpus: Name of the corpus.
        split: Name of the split.
        bos: Whether each context begins with a BOS token.
        short: Whether the split had fewer tokens than were asked for, and all of them are here.
    """

    ids: NDArray[np.int32]
    scored: NDArray[np.bool_]
    document: NDArray[np.int32]
    corpus: str
    split: str
    bos: bool
    short: bool = False

    def __len__(self) -> int:
        """Number of contexts."""
        return len(self.ids)

    @property
    def context(self) -> int:
        """Tokens of a context."""
        return int(self.ids.shape[1])

    @cached_property
    def n_scored(self) -> int:
        """Number of tokens that count."""
        return int(self.scored.sum())

    @cached_property
    def digest(self) -> str:
        """sha256 of what a model is given, and which tokens count."""
        return digest({"ids": array_digest(self.ids), "scored": array_digest(self.scored), "bos": self.bos})

    def first(self, n: int | None) -> TokenBlocks:
        """Return the first ``n`` contexts, fewer where there are fewer; None: all."""
        if n is None or n >= len(self):
            return self
        return replace(self, ids=self.ids[:n], scored=self.scored[:n], document=self.document[:n], short=False)


def token_blocks(
    corpus: Corpus, split: str, encoder: TextEncoder | None, *, context: int, bos: bool, tokens: int | None = None
) -> TokenBlocks:
    """Tokenize documents until there are enough tokens, and cut them into contexts.

    Documents are tokenized one by one and follow each other in the order of the split, a BOS token between two of
    them where the tokenizer has one; the text runs over the ends of contexts. With ``bos``, each context has a BOS
    token in its first place. A BOS token between documents that would begin a context is left out, and so are tokens
    at the end that do not fill one.

    Args:
        corpus: The text.
        split: Split of it.
        encoder: The model's tokenizer. Special tokens that it declares as ``special_ids`` are not scored, nor is BOS.
        context: Tokens of a context, BOS included.
        bos: Whether each context begins with a BOS token.
        tokens: Scored tokens that are wanted; as many contexts as are needed for them are made. None: all.

    Raises:
        UsageError: There is no tokenizer, it has no BOS token though one is wanted, a number is too small, or a
            stream is wanted whole.
        DataError: The corpus cannot be read, or has less than one context.
    """
    if corpus.stream and tokens is None:
        why = "It is a stream, which may have no end."
        raise UsageError(f"All of '{corpus.name}' cannot be used.", why=why, do="Say how many tokens are wanted.")
    text = _Text(corpus, split, _checked(encoder, context, tokens, bos=bos), room=context - bos)
    wanted = _MAX_ID if tokens is None else tokens
    ids, document = text.read(wanted)
    n = len(ids) // text.room
    if not n:
        why = f"Its split '{split}' fills no context of {context} tokens."
        raise DataError(f"The corpus '{corpus.name}' is too small.", why=why, do="Use more text, or a shorter context.")
    ids, document = (array[: n * text.room].reshape(n, text.room) for array in (ids, document))
    if bos:
        ids = np.hstack([np.full((n, 1), text.encoder.bos_id, np.int32), ids])
        document = np.hstack([document[:, :1], document])
    scored = ~np.isin(ids, text.special)
    made = TokenBlocks(ids, scored, document, corpus.name, split, bos, short=int(scored.sum()) < (tokens or 0))
    return made.first(int(np.searchsorted(scored.sum(1).cumsum(), wanted)) + 1)


@dataclass(frozen=True)
class _Text:
    """A corpus' split on its way to token ids.

    Attributes:
        corpus: The corpus.
        split: The split.
        encoder: The tokenizer.
        room: Places of a context that text can have.
    """

    corpus: Corpus
    split: str
    encoder: TextEncoder
    room: int

    @property
    def special(self) -> list[int]:
        """Ids that are not scored."""
        declared = sorted(int(token) for token in getattr(self.encoder, "special_ids", ()))
        return declared if self.encoder.bos_id is None else [self.encoder.bos_id, *declared]

    def read(self, wanted: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return ids and documents, ``[tokens]`` each, of as many documents as full contexts with ``wanted`` need."""
        ids: list[NDArray[np.int32]] = []
        numbers: list[NDArray[np.int32]] = []
        length = scored = 0
        for number, document in enumerate(self.corpus.documents(self.split)):
            found = self._encode(document, parted=length % self.room > 0)
            ids.append(found)
            numbers.append(np.full(len(found), number, np.int32))
            length += len(found)
            scored += int((~np.isin(found, self.special)).sum())
            if scored >= wanted + self.room:
                break
        return np.concatenate(ids or [_NONE]), np.concatenate(numbers or [_NONE])

    def _encode(self, document: Document, *, parted: bool) -> NDArray[np.int32]:
        """Return the ids of a document, behind a BOS token where it is ``parted`` from what comes before."""
        found = np.asarray(self.encoder.encode(document.text), dtype=np.int64).reshape(-1)
        if len(found) and not 0 <= found.min() <= found.max() <= _MAX_ID:
            why = f"The tokenizer gives {found.min()} to {found.max()}."
            raise DataError(f"{document.name} has impossible token ids.", why=why, do="Repair the tokenizer.")
        before = [self.encoder.bos_id] if parted and self.encoder.bos_id is not None and len(found) else []
        return np.concatenate([np.array(before, np.int32), found.astype(np.int32)])


def _checked(encoder: TextEncoder | None, context: int, tokens: int | None, *, bos: bool) -> TextEncoder:
    if encoder is None:
        why = "Text has to be turned into token ids."
        raise UsageError("The model has no tokenizer.", why=why, do="Use a model with one.")
    if bos and encoder.bos_id is None:
        why = "Its tokenizer has none."
        raise UsageError("Contexts cannot begin with a BOS token of this model.", why=why, do="Leave BOS out.")
    if context < 2:
        raise UsageError(f"A context of {context} is not possible.", why="It is below 2.", do="Give 2 or more.")
    if tokens is not None and tokens < 1:
        raise UsageError(f"{tokens} tokens are not possible.", why="It is below 1.", do="Give 1 or more.")
    return encoder
