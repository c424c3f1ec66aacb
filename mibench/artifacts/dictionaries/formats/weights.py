"""Read untrusted safetensors and torch files to float32 arrays; nothing in them is run, sizes are checked first."""

from __future__ import annotations

import pickletools
import re
import zipfile
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mibench.artifacts.circuit import brief
from mibench.artifacts.dictionaries.checks import MAX_BYTES, refuse
from mibench.artifacts.dictionaries.formats.settings import parse_object
from mibench.artifacts.dictionaries.formats.tensors import Numbers
from mibench.artifacts.dictionaries.header import SafetensorsHeader, read_header
from mibench.core.errors import ArtifactError

if TYPE_CHECKING:
    import torch

MAX_TENSORS = 64
_FLOATS = {"F64", "F32", "F16", "BF16"}
_COUNTS = {"I32", "I64"}
_RESAVE = "Save it again with torch.save: a dict of plain tensors."
_GLOBALS = {"torch._utils _rebuild_tensor_v2", "collections OrderedDict"} | {
    f"torch {kind}Storage" for kind in ("Float", "Double", "Half", "BFloat16", "Int", "Long")
}
_MAX_INSTRUCTIONS = 2**20
_MAX_TUPLES = 500
# What torch.save writes for a dict of tensors and numbers. Anything else is not needed, so it is not let in.
_OPCODES = re.compile(
    "PROTO|STOP|MARK|GLOBAL|REDUCE|BUILD|BINPERSID|BINPUT|LONG_BINPUT|BINGET|LONG_BINGET|EMPTY_DICT|"
    "SETITEM|SETITEMS|EMPTY_LIST|APPEND|APPENDS|EMPTY_TUPLE|TUPLE|TUPLE1|TUPLE2|TUPLE3|BINUNICODE|BININT|"
    "BININT1|BININT2|LONG1|BINFLOAT|NEWTRUE|NEWFALSE|NONE"
)


def read_safetensors(path: Path) -> dict[str, Numbers]:
    """Read a safetensors file: floating-point tensors as float32, whole numbers as int64.

    Raises:
        ArtifactError: It is damaged, too large, or holds something else.
    """
    from safetensors import SafetensorError, safe_open

    _check_header(checked_header(path))
    try:
        with safe_open(path, framework="pt") as stream:
            return {name: _array(name, stream.get_tensor(name)) for name in sorted(stream.keys())}
    except SafetensorError as error:
        raise refuse(f"It is not a whole safetensors file: {error!s:.200}", "Make it again.") from error


def checked_header(path: Path) -> SafetensorsHeader:
    """The header of a safetensors file in which no name comes twice.

    Raises:
        ArtifactError: It is damaged, or too long.
    """
    header = read_header(path)
    with path.open("rb") as stream:
        text = stream.read(int.from_bytes(stream.read(8), "little"))
    parse_object(text.decode(), f"The header of {path.name}")
    return header


def _check_header(header: SafetensorsHeader) -> None:
    if len(header.tensors) > MAX_TENSORS:
        raise refuse(
            f"It has {len(header.tensors)} tensors; the limit is {MAX_TENSORS}.", "Give one dictionary a file."
        )
    for name, entry in header.tensors.items():
        if entry.dtype not in _FLOATS | _COUNTS:
            raise refuse(f"'{name:.40}' is {entry.dtype}.", "Save it as float32.")
    size = 4 * sum(prod(entry.shape) for entry in header.tensors.values())
    if size > MAX_BYTES:
        raise refuse(f"It takes {size} bytes in float32; the limit is {MAX_BYTES}.", "Give a smaller one.")


def _array(name: str, tensor: object) -> Numbers:
    """The values of an ordinary dense tensor that owns them."""
    import torch

    if type(tensor) is not torch.Tensor or tensor.layout is not torch.strided or tensor.is_quantized:
        raise refuse(f"'{name:.40}' is {brief(tensor)}, not an ordinary tensor.", _RESAVE)
    if tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size():
        raise refuse(f"'{name:.40}' repeats values instead of holding them.", "Save it .contiguous().")
    if tensor.dtype in (torch.int32, torch.int64):
        return np.array(tensor.detach().to(torch.int64).numpy())
    if tensor.dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        raise refuse(f"'{name:.40}' holds {tensor.dtype}.", "Save it as float32.")
    # Too large for float32 becomes infinite there, which is refused with other infinities.
    values: Numbers = np.array(tensor.detach().float().numpy(), order="C")
    return values


def read_torch(path: Path) -> dict[str, Numbers]:
    """Read a torch file that holds a dict of tensors, as ``read_safetensors`` does.

    Raises:
        ArtifactError: It holds anything but plain tensors in a dict, or is damaged.
    """
    if path.stat().st_size > MAX_BYTES:
        raise refuse(f"It has {path.stat().st_size} bytes; the limit is {MAX_BYTES}.", "Give a smaller one.")
    _check_container(path)
    found = _load(path)
    if not isinstance(found, Mapping) or len(found) > MAX_TENSORS or not all(isinstance(name, str) for name in found):
        raise refuse(f"{path.name} holds {brief(found)}, not a dict of tensors.", _RESAVE)
    _check_tensors(found)
    return {name: _array(name, tensor) for name, tensor in found.items()}


def _check_tensors(found: Mapping[str, Any]) -> None:
    import torch

    size = sum(4 * one.numel() for one in found.values() if isinstance(one, torch.Tensor))
    if size > MAX_BYTES:
        raise refuse(f"It takes {size} bytes in float32; the limit is {MAX_BYTES}.", "Give a smaller one.")


def _check_container(path: Path) -> None:
    """Check the zip and the instructions in it, which are read and never followed."""
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path.stat().st_size)
            names = [entry.filename for entry in archive.infolist() if entry.filename.endswith("data.pkl")]
            if len(names) != 1 or archive.getinfo(names[0]).file_size > _MAX_INSTRUCTIONS:
                raise refuse("It has no single data.pkl of a reasonable size.", _RESAVE)
            instructions = archive.read(names[0])
        _check_instructions(instructions)
    except (ArtifactError, MemoryError, OSError):
        raise
    except Exception as error:
        raise refuse(f"{path.name} is not a whole torch file: {error!s:.200}", _RESAVE) from error


def _check_members(archive: zipfile.ZipFile, file_size: int) -> None:
    entries = archive.infolist()
    if len(entries) > 2 * MAX_TENSORS:
        raise refuse(f"It has {len(entries)} parts; the limit is {2 * MAX_TENSORS}.", _RESAVE)
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise refuse("It is compressed, which torch.save never does.", _RESAVE)
    if sum(entry.file_size for entry in entries) > file_size:
        raise refuse("It declares more bytes than it has.", _RESAVE)


def _check_instructions(instructions: bytes) -> None:
    tuples = 0
    for code, argument, _ in pickletools.genops(instructions):
        if not _OPCODES.fullmatch(code.name):
            raise refuse(f"It uses the instruction {code.name}, which plain tensors do not need.", _RESAVE)
        if code.name == "GLOBAL" and argument not in _GLOBALS:
            raise refuse(f"It asks to load '{argument!s:.80}', which is no plain tensor.", _RESAVE)
        tuples += code.name.startswith("TUPLE")
    # A tensor takes about four; hashing a tower of nested ones would overflow the stack.
    if tuples > _MAX_TUPLES:
        raise refuse(f"It makes {tuples} tuples; the limit is {_MAX_TUPLES}.", _RESAVE)


def _load(path: Path) -> Any:
    import torch

    try:
        # Mapped, a tensor that claims more than its part of the file cannot reach memory outside the file.
        return torch.load(str(path), map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        raise refuse(f"torch refuses it: {error!s:.200}", _RESAVE) from error


def torch_tensors(arrays: Mapping[str, Numbers]) -> dict[str, torch.Tensor]:
    """Arrays as tensors, to be saved."""
    import torch

    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
