"""Look at a torch file's zip and instructions before torch opens it: nothing in it may run or grow."""

from __future__ import annotations

import pickletools
import zipfile
from pathlib import Path

from mibench.artifacts.circuit import refuse

MAX_INSTRUCTIONS = 2**25
MAX_TUPLES = 500
_RESAVE = "Save it again with torch.save: plain tensors, numbers and names in dicts and lists."
_STORAGES = ("Float", "Double", "Half", "BFloat16", "Bool")
_ALLOWED = {"torch._utils _rebuild_tensor_v2", "collections OrderedDict"} | {
    f"torch {kind}Storage" for kind in _STORAGES
}
# Ways to name or make an object other than GLOBAL, which torch.save does not use.
_TUPLES = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"}
_FOREIGN = {"STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "BUILD", "PERSID"}


def check_container(path: Path, *, state_dicts: bool = False) -> None:
    """Check that ``path`` is a plain torch zip whose instructions only make tensors, lists, dicts and names.

    The instructions are read, never followed.

    Args:
        path: The file.
        state_dicts: Allow BUILD, by which torch notes versions in a module's ``state_dict``. Of what is allowed, it
            reaches dicts and tensors only, and memory that is mapped from the file cannot grow.

    Raises:
        ArtifactError: It is another format, is compressed, or names something else to call.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_sizes(archive, path.stat().st_size)
            instructions = archive.read(_instructions_name(archive))
    except (zipfile.BadZipFile, ValueError, RuntimeError, EOFError) as error:
        raise refuse(f"It is not a whole torch file: {error!s:.200}", _RESAVE) from error
    _check_instructions(instructions, _FOREIGN - {"BUILD"} if state_dicts else _FOREIGN)


def _check_sizes(archive: zipfile.ZipFile, file_size: int) -> None:
    entries = archive.infolist()
    if len(entries) > 64:
        raise refuse(f"It has {len(entries)} parts; the limit is 64.", _RESAVE)
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise refuse("It is compressed, which torch.save never does.", _RESAVE)
    declared = sum(entry.file_size for entry in entries)
    if declared > file_size:
        raise refuse(f"It declares {declared} bytes in a file of {file_size}.", _RESAVE)


def _instructions_name(archive: zipfile.ZipFile) -> str:
    names = [entry.filename for entry in archive.infolist() if entry.filename.endswith("data.pkl")]
    if len(names) != 1 or archive.getinfo(names[0]).file_size > MAX_INSTRUCTIONS:
        raise refuse("It has no single data.pkl of a reasonable size.", _RESAVE)
    return names[0]


def _check_instructions(instructions: bytes, foreign: set[str]) -> None:
    tuples = 0
    try:
        for code, argument, _ in pickletools.genops(instructions):
            if code.name == "GLOBAL" and argument not in _ALLOWED:
                raise refuse(f"It asks to load '{argument!s:.80}', which is not plain data.", _RESAVE)
            if code.name in foreign:
                raise refuse(f"It uses the instruction {code.name}, which plain data does not need.", _RESAVE)
            tuples += code.name in _TUPLES
    except (ValueError, UnicodeError) as error:
        raise refuse(f"Its instructions are damaged: {error!s:.200}", _RESAVE) from error
    # A tensor takes about four; hashing a tower of nested ones would overflow the stack.
    if tuples > MAX_TUPLES:
        raise refuse(f"It makes {tuples} tuples; the limit is {MAX_TUPLES}.", _RESAVE)
