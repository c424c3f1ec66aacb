"""Read untrusted safetensors and torch files to float32 arrays; nothing in them is run, sizes are checked first."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mibench.artifacts.circuit import brief
from mibench.artifacts.dictionaries.checks import MAX_BYTES, refuse
from mibench.artifacts.dictionaries.formats.settings import parse_object
from mibench.artifacts.dictionaries.formats.tensors import Numbers
from mibench.artifacts.dictionaries.header import SafetensorsHeader, read_header
from mibench.core.torch_archive import read as torch_archive
from mibench.core.torch_archive.limits import Limits
from mibench.core.torch_archive.tensors import Tensor

if TYPE_CHECKING:
    import torch

MAX_TENSORS = 64
_FLOATS = {"F64", "F32", "F16", "BF16"}
_COUNTS = {"I32", "I64"}
_RESAVE = "Save it again with torch.save: a dict of plain tensors."
_LIMITS = Limits(file_bytes=MAX_BYTES, parts=2 * MAX_TENSORS, instruction_bytes=2**20, instructions=2**17, tuples=500)


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
    found = torch_archive.read_torch(path, _LIMITS)
    if not isinstance(found, Mapping) or len(found) > MAX_TENSORS or not all(isinstance(name, str) for name in found):
        raise refuse(f"{path.name} holds {brief(found)}, not a dict of tensors.", _RESAVE)
    size = sum(4 * one.size for one in found.values() if isinstance(one, Tensor))
    if size > MAX_BYTES:
        raise refuse(f"It takes {size} bytes in float32; the limit is {MAX_BYTES}.", "Give a smaller one.")
    return {name: _numbers(name, tensor) for name, tensor in found.items()}


def _numbers(name: str, tensor: object) -> Numbers:
    """The values of a tensor that owns them."""
    if not isinstance(tensor, Tensor):
        raise refuse(f"'{name:.40}' is {brief(tensor)}, not an ordinary tensor.", _RESAVE)
    if tensor.repeats:
        raise refuse(f"'{name:.40}' repeats values instead of holding them.", "Save it .contiguous().")
    if tensor.dtype in ("int32", "int64"):
        return tensor.array().astype(np.int64)
    if tensor.dtype not in ("float16", "bfloat16", "float32", "float64"):
        raise refuse(f"'{name:.40}' holds torch.{tensor.dtype}.", "Save it as float32.")
    # Too large for float32 becomes infinite there, which is refused with other infinities.
    with np.errstate(over="ignore"):
        values: Numbers = tensor.array().astype(np.float32, order="C")
    return values


def torch_tensors(arrays: Mapping[str, Numbers]) -> dict[str, torch.Tensor]:
    """Arrays as tensors, to be saved."""
    import torch

    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
