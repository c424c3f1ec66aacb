"""Methods that are handed in as code: what is said of a Python file before anything of it is run.

The file is read as text alone: it is not compiled, and no tree is made of it, since source can be written that
crashes the interpreter that parses it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from mibench.core.errors import DataError
from mibench.core.files import read_text
from mibench.core.hashing import file_digest
from mibench.intake.cells import repeated, task_faults, too_many
from mibench.intake.failures import Failure
from mibench.intake.manifest import MAX_CODE_BYTES, CodeEntry

_PLAIN = frozenset("\n\r\t")


def code_refused(methods: Mapping[int, CodeEntry]) -> Failure | None:
    """Say that methods are not taken; None: there are none."""
    if not methods:
        return None
    first = next(iter(methods.values()))
    why = f"It lists {len(methods)} under methods, such as {first.function} in {first.file}; artifacts are data."
    do = "Make artifacts of it with mibench submit make; where code is taken, check it with --trust-code."
    return Failure("This submission holds code.", why, do, first.file)


def code_faults(path: Path, index: int, entry: CodeEntry) -> list[Failure]:
    """Return what is wrong with the file of a method.

    Args:
        path: The file.
        index: Place of the method in the manifest's list.
        entry: What the manifest says of it.
    """
    name, where = entry.file, f"methods[{index}]"
    try:
        text = read_text(path, max_bytes=MAX_CODE_BYTES)
        size, digest = path.stat().st_size, file_digest(path)
    except DataError as error:
        return [Failure(f"{name} cannot be read as text.", error.why, error.do, name)]
    except OSError as error:
        return [Failure(f"{name} cannot be read.", f"{error.strerror or error}.", "Check its rights.", name)]
    found = []
    for key, own, stated in (("bytes", size, entry.bytes), ("sha256", digest, entry.sha256)):
        if own != stated:
            what, why = f"{name} is not the file that was listed.", f"Its {key}: {own}; the manifest says {stated}."
            found.append(Failure(what, why, f"Correct {where}.{key}, or restore the file.", name))
    odd = next((char for char in text if not char.isprintable() and char not in _PLAIN), None)
    if odd is not None:
        why = f"It has the character U+{ord(odd):04X}, which is not printed, so that it may not be what it looks like."
        found.append(Failure(f"{name} is not plain text.", why, "Write it as an escape.", name))
    if not re.search(rf"^def[ \t]+{re.escape(entry.function)}[ \t]*\(", text, re.MULTILINE):
        why = f"No line begins 'def {entry.function}('; {where} names it."
        found.append(Failure(f"{name} has no function {entry.function}.", why, "Correct its name.", name))
    return found


def methods_faults(folder: Path, files: Collection[str], methods: Mapping[int, CodeEntry]) -> Iterator[Failure]:
    """Return what is wrong with methods that are taken: their cells, and their files.

    Args:
        folder: The submission.
        files: Regular files in it.
        methods: What the manifest says, by the place in its list.
    """
    crowd = too_many(methods)
    yield from without_index(repeated(methods) if crowd is None else [crowd])
    for index, entry in methods.items():
        yield from without_index(task_faults(index, entry))
        if entry.file in files:
            yield from code_faults(folder / entry.file, index, entry)
        elif not os.path.lexists(folder / entry.file):
            why, do = f"methods[{index}] names it.", "Put it there, or correct the path."
            yield Failure(f"There is no file {entry.file}.", why, do, entry.file)


def without_index(found: Iterable[Failure]) -> Iterator[Failure]:
    """Failures of methods: their places are in their words, since an index is one of the list of artifacts."""
    for one in found:
        yield replace(one, index=None)
