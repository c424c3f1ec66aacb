"""Files beside a record: tables and artifacts, named by a digest of their content."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from mibench.core.errors import StoreError
from mibench.core.files import atomic_path
from mibench.core.hashing import file_digest
from mibench.records.record import ArtifactRef, TableRef
from mibench.records.tables import table_bytes

if TYPE_CHECKING:
    import pandas as pd

Ref = TableRef | ArtifactRef

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
_RECORD = re.compile(r"[0-9a-f]{32}\.json")
_SUFFIX = re.compile(r"\.[a-z0-9]{1,16}")


def is_record(name: str) -> bool:
    """Tell a record from what lies beside it, by the name of the file."""
    return _RECORD.fullmatch(name) is not None


def encoded_table(target: Path, name: str, frame: pd.DataFrame) -> tuple[str, TableRef, bytes]:
    """Return the name of a table, how a record at ``target`` refers to it, and its bytes.

    Raises:
        StoreError: It cannot be stored.
    """
    if not _NAME.fullmatch(name):
        raise StoreError(
            f"The table '{name}' cannot be stored.",
            why="Its name becomes part of a file name.",
            do="Use up to 64 letters, digits, _ and -.",
        )
    content = table_bytes(frame, name=name)
    sha256 = hashlib.sha256(content).hexdigest()
    file = f"{target.stem}.{name}.{sha256[:12]}.parquet"
    return name, TableRef(file=file, sha256=sha256, rows=len(frame)), content


def copied_artifact(source: Path, target: Path) -> ArtifactRef:
    """Copy a file beside the record at ``target``, and return how the record refers to it.

    Raises:
        StoreError: It cannot be read, or stored.
    """
    if not _SUFFIX.fullmatch(source.suffix):
        raise StoreError(
            f"The artifact {source} cannot be stored.",
            why=f"Its suffix '{source.suffix}' does not name a format.",
            do="Use a suffix such as .safetensors or .json.",
        )
    try:
        sha256 = file_digest(source)
    except OSError as error:
        raise missing_file(source, error) from error
    file = f"{target.stem}.artifact.{sha256[:12]}{source.suffix}"
    with atomic_path(target.with_name(file)) as temporary:
        shutil.copyfile(source, temporary)
    return ArtifactRef(file=file, sha256=sha256)


def check_file(path: Path, ref: Ref) -> None:
    """Check that a file is the one that a record refers to.

    Raises:
        StoreError: It is missing or damaged.
    """
    try:
        actual = file_digest(path)
    except OSError as error:
        raise missing_file(path, error) from error
    if actual != ref.sha256:
        raise StoreError(
            f"{path} cannot be used.",
            why="Its sha256 is not the one in the record.",
            do="Fetch it again, or run its cell again.",
        )


def missing_file(path: Path, error: OSError) -> StoreError:
    """Return the error for a file beside a record that cannot be read."""
    return StoreError(
        f"{path} cannot be read.",
        why=error.strerror or str(error),
        do="Fetch it again, or run its cell again.",
    )
