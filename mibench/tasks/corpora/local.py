"""Corpora of the user's own: a text file, JSON lines, or a folder of text files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from mibench.core.errors import DataError, UsageError
from mibench.core.files import is_file, is_folder, read_text
from mibench.tasks.corpora.corpus import MAX_CHARACTERS, Corpus, Document

PIECE = 2_000
"""Characters of a piece that a text file without form feeds is cut into, at least."""
_MAX_LABEL = 200


def local_corpus(path: Path, name: str) -> Corpus:
    """Return the corpus of a local file or folder.

    A ``.txt`` is cut into documents at form feeds; without any, at blank lines into pieces of at least 2,000
    characters, so that it can be split. A ``.jsonl`` has one document a line, under ``text``; other strings and
    numbers of the line are its labels. In a folder, each ``.txt`` is one document.

    Raises:
        UsageError: It is none of these.
    """
    if is_folder(path):
        return _named(name, f"Text files of {path.name}.", lambda: _folder(path))
    if not is_file(path):
        raise UsageError(f"{path} cannot be read.", why="There is no such file.", do="Check the path.")
    if path.suffix == ".txt":
        return _named(name, f"Text of {path.name}.", lambda: _text(path))
    if path.suffix == ".jsonl":
        return _named(name, f"Lines of {path.name}.", lambda: _lines(path))
    why = f"Its name ends in '{path.suffix}'."
    raise UsageError(f"{path} is not a corpus.", why=why, do="Give a .txt, a .jsonl, or a folder of .txt files.")


def pieces(text: str, least: int = PIECE) -> list[str]:
    """Cut a text at blank lines into pieces of at least ``least`` characters; a shorter rest joins the last one."""
    found, held = [""], 0
    for paragraph in re.split(r"(?<=\n)(?=[ \t]*\n)", text):
        if held >= least:
            found.append("")
            held = 0
        found[-1] += paragraph
        held += len(paragraph)
    if len(found) > 1 and held < least:
        rest = found.pop()
        found[-1] += rest
    return found


def _named(name: str, description: str, source: Callable[[], Iterator[Document]]) -> Corpus:
    return Corpus(source, description, name, version=1, licence="not given: local", citation="not given: local")


def _text(path: Path) -> Iterator[Document]:
    text = read_text(path, max_bytes=MAX_CHARACTERS)
    parts = text.split("\f") if "\f" in text else pieces(text)
    for number, part in enumerate(parts, start=1):
        yield Document(part, f"{path.name}:{number}")


def _folder(folder: Path) -> Iterator[Document]:
    paths = sorted(path for path in folder.rglob("*.txt") if path.is_file())
    if not paths:
        raise DataError(f"{folder} has no text.", why="There is no .txt in it.", do="Put text files into it.")
    for path in paths:
        yield Document(read_text(path, max_bytes=MAX_CHARACTERS), path.relative_to(folder).as_posix())


def _lines(path: Path) -> Iterator[Document]:
    # Not splitlines: JSON text may hold other line separators as they are.
    for number, line in enumerate(read_text(path, max_bytes=MAX_CHARACTERS).split("\n"), start=1):
        if line.strip():
            yield _row(line, f"{path.name}:{number}")


def _row(line: str, where: str) -> Document:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _unusable(where, f"It is not JSON: {str(error)[:200]}.") from error
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise _unusable(where, "It is not an object with the text under 'text'.")
    labels = {
        name: str(value) for name, value in row.items() if name != "text" and isinstance(value, str | int | float)
    }
    return Document(row["text"], where, {name: value for name, value in labels.items() if len(value) <= _MAX_LABEL})


def _unusable(where: str, why: str) -> DataError:
    return DataError(f"{where} cannot be used.", why=why, do='Write one {"text": …} a line.')
