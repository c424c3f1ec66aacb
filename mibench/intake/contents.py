"""First bytes of files: programs, pickles and archives are refused, whatever their names say."""

from __future__ import annotations

import re
from pathlib import Path

from mibench.core.errors import DataError
from mibench.core.files import read_text
from mibench.intake.failures import Failure

MAX_HEADER = 4 * 2**20
"""Longest header of a safetensors file: room for the manifest of featurizers at thousands of sites."""
_HEAD = 512
_MAGIC = (
    (b"\x7fELF", "a program (ELF)"),
    (b"MZ", "a Windows program"),
    (b"\xca\xfe\xba\xbe", "a program (Mach-O or Java)"),
    (b"\xcf\xfa\xed\xfe", "a program (Mach-O)"),
    (b"\xfe\xed\xfa", "a program (Mach-O)"),
    (b"#!", "a script"),
    (b"\x00asm", "a program (WebAssembly)"),
    (b"PK", "a zip archive, as .pt and .npz files are"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x93NUMPY", "a numpy file"),
    (b"\x89HDF", "an HDF5 file"),
)
_PICKLE = re.compile(rb"\x80[\x01-\x05]|[(c][a-z_.]+\n[a-zA-Z_.]+\n|\(dp?\d|\(lp?\d")
_DO = "Hand in .safetensors or .json; mibench convert writes them from other formats."


def content_fault(path: Path, name: str) -> Failure | None:
    """Say what is wrong with the first bytes of an artifact's file; None: nothing.

    Args:
        path: The file.
        name: Its path inside the submission.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    length = int.from_bytes(head[:8], "little")
    is_safetensors = head[8:9] == b"{" and length <= path.stat().st_size - 8
    if name.lower().endswith(".safetensors") and is_safetensors:
        # Its first bytes are a length, which may begin as anything does.
        return _too_long(name, length) if length > MAX_HEADER else None
    kind = next((words for magic, words in _MAGIC if head.startswith(magic)), None)
    kind = kind or ("a pickle, which is a program" if _PICKLE.match(head) else None)
    if kind is not None:
        return Failure(f"{name} is {kind}.", "A submission is data, never code.", _DO, name)
    return _unlike_its_name(name, head, path.stat().st_size)


def _too_long(name: str, length: int) -> Failure:
    why = f"Its header takes {length} bytes; the limit is {MAX_HEADER}."
    return Failure(f"{name} cannot be read.", why, "Keep less in its metadata.", name)


def _unlike_its_name(name: str, head: bytes, size: int) -> Failure | None:
    what = f"{name} is not what its name says."
    if name.lower().endswith(".safetensors"):
        why = f"Its first bytes begin no header of a safetensors file of {size} bytes; it may be cut short."
        return Failure(what, why, _DO, name)
    if not head.lstrip().startswith(b"{"):
        return Failure(what, "It does not begin as a JSON object does.", _DO, name)
    return None


def document_fault(path: Path, name: str, limit: int) -> Failure | None:
    """Say why a file cannot be one of the texts of a submission; None: it can.

    Args:
        path: The file.
        name: Its path inside the submission.
        limit: Bytes, at most.
    """
    try:
        text = read_text(path, max_bytes=limit)
    except DataError as error:
        return Failure(f"{name} cannot be read as text.", error.why, error.do, name)
    if text.startswith("#!"):
        return Failure(f"{name} is a script.", "A submission is data, never code.", "Leave it out.", name)
    odd = next((char for char in text if not char.isprintable() and char not in "\n\r\t\ufeff"), None)
    if odd is not None:
        why = f"It has the character U+{ord(odd):04X}, which is not printed."
        return Failure(f"{name} is not plain text.", why, "Remove it.", name)
    return None
