"""How much a torch file may hold, and the error for one that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass

from mibench.core.errors import ArtifactError
from mibench.core.files import MIB

RESAVE = "Save it again with torch.save: plain tensors, numbers and names in dicts and lists."
PLAIN = "plain data: dense tensors, numbers and names in dicts and lists"


@dataclass(frozen=True)
class Limits:
    """Limits of a file.

    Attributes:
        file_bytes: Of the whole file.
        parts: Parts of the zip: one for each storage, and some for torch.
        instruction_bytes: Of the instructions that put the parts together.
        instructions: Their number.
        tuples: Tuples that they make; a tensor takes about four.
        depth: Of lists, dicts and tuples inside each other.
        array_bytes: Of all arrays together, where they are read at once.
    """

    file_bytes: int = 4096 * MIB
    parts: int = 20_000
    instruction_bytes: int = 16 * MIB
    instructions: int = 2**18
    tuples: int = 2**16
    depth: int = 100
    array_bytes: int = 8192 * MIB


def refuse(why: str, do: str = RESAVE) -> ArtifactError:
    """Return the error for a file that is not read."""
    return ArtifactError("This torch file cannot be read.", why=why, do=do)
