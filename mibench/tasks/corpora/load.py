"""Find a corpus by its name, a path, or its place on the hub."""

from __future__ import annotations

from pathlib import Path

from mibench.core.errors import DataError, UsageError
from mibench.core.files import exists
from mibench.core.names import did_you_mean
from mibench.core.registry import Component
from mibench.tasks.corpora.corpus import CORPORA, Corpus
from mibench.tasks.corpora.hub import PREFIX, hub_corpus
from mibench.tasks.corpora.local import local_corpus


def list_corpora() -> list[Component]:
    """Return what every registered corpus declares, sorted by name; imports none of them."""
    return list(CORPORA.components.values())


def load_corpus(ref: str) -> Corpus:
    """Return the corpus called ``ref``, at that path, or at that place on the hub; nothing is read yet.

    Raises:
        UsageError: There is none, or a data set of the hub is not pinned.
        DataError: What is registered under the name is no corpus.
    """
    if ref in CORPORA.components:
        found = CORPORA.load(ref)
        if not isinstance(found, Corpus):
            raise DataError(f"'{ref}' is not a corpus.", why=f"It is a {type(found).__name__}.", do="Use @corpus(…).")
        return found
    if ref.startswith(PREFIX):
        return hub_corpus(ref)
    path = Path(ref)
    if exists(path):
        return local_corpus(path, _local_name(path))
    raise UsageError(
        f"Unknown corpus '{ref[:200]}'.",
        why="No corpus has that name, and there is no such file or folder.",
        do=did_you_mean(ref, CORPORA.names()),
    )


def _local_name(path: Path) -> str:
    """Keep a file apart from the registered corpus whose name it has."""
    return f"local/{path.stem}" if path.stem in CORPORA.components else path.stem
