"""Word that the cell of a record was run again: lines of a file beside the records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from mibench.core.errors import StoreError
from mibench.core.files import atomic_write, exists, read_text
from mibench.core.hashing import canonical_json
from mibench.records.record import Provenance, Sha256

FILE = "confirmations.jsonl"
MAX_BYTES = 64 * 1024 * 1024


class Confirmation(BaseModel):
    """One repeat of a record's cell."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    schema_version: Literal[1] = 1
    """Version of this format."""
    record: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
    """Id of the cell."""
    tables: dict[str, Sha256]
    """Digests of the record's tables, which say what was confirmed."""
    verdict: Literal["match", "drift", "mismatch"]
    """Everything is equal, equal within the tolerance, or not."""
    difference: Annotated[float, Field(ge=0)] | None
    """Largest relative difference; None: something has no counterpart of its kind."""
    where: str | None
    """Where that is; None: everything is equal."""
    tolerance: Annotated[float, Field(ge=0)]
    """Relative difference up to which the verdict is drift."""
    made: Provenance
    """When, where and with what the cell was run again; without the command line."""


def append_confirmations(folder: Path, added: Sequence[Confirmation]) -> Path:
    """Add lines to the confirmations of a folder of records, and return the file.

    Raises:
        StoreError: The file that is there is not one of confirmations, or cannot be written.
    """
    path = folder / FILE
    known = read_confirmations(folder)
    lines = [canonical_json(one.model_dump(mode="json")) for one in (*known, *added)]
    atomic_write(path, b"".join(line + b"\n" for line in lines))
    return path


def read_confirmations(folder: Path) -> list[Confirmation]:
    """Return the confirmations of a folder of records, oldest first; none where there is no file.

    Raises:
        StoreError: A line is not a confirmation.
    """
    path = folder / FILE
    if not exists(path):
        return []
    found = []
    for number, line in enumerate(read_text(path, max_bytes=MAX_BYTES).splitlines(), start=1):
        try:
            found.append(Confirmation.model_validate_json(line, strict=True))
        except ValidationError as error:
            why = f"Line {number}: {error.errors(include_url=False, include_input=False)[0]['msg']}."
            raise StoreError(
                f"{path} cannot be used.", why=why, do="Correct the line, or move the file away."
            ) from error
    return found
