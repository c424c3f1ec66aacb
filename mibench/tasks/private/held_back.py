"""Private text: documents that an organiser holds back, in the place of a corpus' test documents."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mibench.core.errors import DataError, UsageError
from mibench.core.names import did_you_mean
from mibench.tasks.corpora.corpus import CORPORA, Document
from mibench.tasks.corpora.load import load_corpus
from mibench.tasks.corpora.local import local_corpus
from mibench.tasks.private.keys import SPLITS, SplitName, shuffled, side
from mibench.tasks.task import SPLITS as PUBLIC

LEAST = 200
"""Characters from which a public document that stands in a private one gives it away."""


def private_documents(corpus: str, path: Path, salt: bytes) -> dict[SplitName, list[dict[str, Any]]]:
    """Return the documents of a file or folder for both private splits, in an order that says nothing of them.

    A keyed hash of its text deals each document. Documents are compared with the public corpus without regard to case
    and white space.

    Args:
        corpus: Name of the corpus whose test split they replace.
        path: What `local_corpus` reads.
        salt: Of the private splits.

    Raises:
        UsageError: No corpus has that name, or the path cannot be read.
        DataError: A document stands in the public corpus, or a split has none.
    """
    if corpus not in CORPORA.components:
        why = "Private text takes the place of a corpus that has a name."
        raise UsageError(f"There is no corpus '{corpus[:100]}'.", why=why, do=did_you_mean(corpus, CORPORA.names()))
    texts = {one.text: one for one in local_corpus(path, corpus).source() if one.text.strip()}
    _check_new(corpus, list(texts.values()))
    found = {split: [text for text in texts if side(salt, _plain(text)) == split] for split in SPLITS}
    if empty := [split for split in SPLITS if not found[split]]:
        why = f"It has {len(texts)} documents, and none falls to {empty[0]}."
        raise DataError(f"{path} has too little text.", why=why, do="Give more documents, or cut it into more.")
    return {split: [{"text": text} for text in shuffled(salt, found[split], str)] for split in SPLITS}


def _check_new(corpus: str, documents: Sequence[Document]) -> None:
    held = [(one.name, _plain(one.text)) for one in documents]
    known = load_corpus(corpus)
    for split in PUBLIC:
        for other in known.documents(split):
            public = _plain(other.text)
            for name, text in held:
                if text in public or (len(public) >= LEAST and public in text):
                    why = f"It stands in '{corpus}', which everybody has."
                    raise DataError(f"{name} is not private.", why=why, do="Leave it out, or give other text.")


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().casefold()
