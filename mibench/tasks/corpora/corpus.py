"""What a corpus is, how one registers itself, and how its documents are split."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NotRequired, Required, TypedDict, Unpack

from mibench.core.errors import DataError
from mibench.core.names import unknown
from mibench.core.registry import Registry
from mibench.tasks.corpora.splits import by_hash, by_size, text_key
from mibench.tasks.private.overlay import overlay_file
from mibench.tasks.task import SPLITS

CORPORA = Registry(kind="corpus", package="mibench.tasks", plural="corpora")
MAX_CHARACTERS = 512 * 1024 * 1024
"""Characters of a corpus that is held in memory, at most."""
MAX_DOCUMENT = 64 * 1024 * 1024
"""Characters of one document, at most."""


@dataclass(frozen=True)
class Document:
    """One text.

    Attributes:
        text: The text.
        name: What it is called in its corpus.
        labels: What is known of it, by the label's name, such as ``{"party": "Whig"}``.
    """

    text: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)


class CorpusFields(TypedDict, total=False):
    """What a corpus declares; literals, since the registry parses them.

    Attributes:
        name: What users write.
        version: Raised when its documents change.
        licence: Licence of the text.
        package: Package that holds the text; ``""``: none is needed.
        citation: Whom to cite.
        notes: What a reader of numbers made on it has to know.
    """

    name: Required[str]
    version: Required[int]
    licence: Required[str]
    package: NotRequired[str]
    citation: NotRequired[str]
    notes: NotRequired[str]


@dataclass(frozen=True)
class Corpus:
    """Documents, split into train, validation and test.

    Documents with the same text count once; those without any text are left out. By characters, 15 % are test, 5 %
    validation, 80 % train. Which document is where follows from the sha256 of its text: see
    :mod:`mibench.tasks.corpora.splits`.

    Attributes:
        source: Gives all documents.
        description: One line.
        stream: Whether the documents are too many to be held: then each is assigned by its own hash, and a split
            comes in the order of the stream. Otherwise a split is ordered by hash.
        name, version, licence, package, citation, notes: As in `CorpusFields`.
    """

    source: Callable[[], Iterable[Document]]
    description: str
    name: str
    version: int
    licence: str
    package: str = ""
    citation: str = ""
    notes: str = ""
    stream: bool = False

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of its splits."""
        return SPLITS

    def documents(self, split: str) -> Iterator[Document]:
        """Yield the documents of a split; those of a private split take the place of test, in their order.

        Raises:
            UsageError: There is no such split.
            DataError: The documents cannot be had, are too large, or are fewer than three.
        """
        if split not in SPLITS:
            raise unknown("split", split, SPLITS)
        private = overlay_file("corpora", f"{self.name}.jsonl") if split == "test" else None
        if private is not None:
            from mibench.tasks.corpora.local import local_corpus  # which is made of what is here

            yield from local_corpus(private, self.name).source()
        elif self.stream:
            yield from (document for key, document in self._distinct() if by_hash(key) == split)
        else:
            yield from self._held[split]

    @cached_property
    def _held(self) -> dict[str, list[Document]]:
        """All documents by split, ordered by hash."""
        found: dict[bytes, Document] = {}
        size = 0
        for key, document in self._distinct():
            size += len(document.text)
            if size > MAX_CHARACTERS:
                raise self._too_large(f"It has more than {MAX_CHARACTERS} characters.")
            found[key] = document
        if len(found) < len(SPLITS):
            why = f"It has {len(found)} documents with different text, and there are {len(SPLITS)} splits."
            raise DataError(f"The corpus '{self.name}' cannot be split.", why=why, do="Give more documents.")
        order = sorted(found)
        places = by_size([len(found[key].text) for key in order])
        held: dict[str, list[Document]] = {split: [] for split in SPLITS}
        for key, split in zip(order, places, strict=True):
            held[split].append(found[key])
        return held

    def _distinct(self) -> Iterator[tuple[bytes, Document]]:
        """Yield each text that is not blank once, with its key."""
        seen: set[bytes] = set()
        for document in self.source():
            if len(document.text) > MAX_DOCUMENT:
                raise self._too_large(
                    f"{document.name} has {len(document.text)} characters; {MAX_DOCUMENT} are allowed."
                )
            key = text_key(document.text)
            if key in seen or not document.text.strip():
                continue
            seen.add(key)
            yield key, document

    def _too_large(self, why: str) -> DataError:
        return DataError(f"The corpus '{self.name}' is too large.", why=why, do="Give a part of it, or cut it up.")


def corpus(**fields: Unpack[CorpusFields]) -> Callable[[Callable[[], Iterable[Document]]], Corpus]:
    """Register a function that yields the documents of a corpus.

    The arguments must be literals: the registry reads them by parsing the file. The description is the first line of
    the function's docstring.
    """

    def make(source: Callable[[], Iterable[Document]]) -> Corpus:
        description = (source.__doc__ or "").strip().split("\n")[0]
        return Corpus(source, description, **fields)

    return make
