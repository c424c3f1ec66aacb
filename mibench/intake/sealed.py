"""Submissions whose artifacts are sealed: what is published is the manifest, the files go to the organisers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from mibench.core.errors import DataError, UsageError
from mibench.core.files import is_file, is_folder
from mibench.intake.failures import Failure
from mibench.intake.manifest import MANIFEST, ArtifactEntry
from mibench.intake.rules import Rules


def manifest_bytes(path: Path, limit: int) -> bytes:
    """The bytes of a manifest, which its digest is of.

    Args:
        path: The file, or the folder that holds it.
        limit: Bytes, at most.

    Raises:
        UsageError: There is no such file.
        DataError: It is too long, or cannot be read.
    """
    file = path / MANIFEST if is_folder(path) else path
    if not is_file(file):
        why, do = "There is no such file.", f"Give the published {MANIFEST}, or its folder."
        raise UsageError(f"{str(path)[:200]} is no manifest.", why=why, do=do)
    try:
        with file.open("rb") as stream:
            content = stream.read(limit + 1)
    except OSError as error:
        do = "Check its rights."
        raise DataError(f"{file} cannot be read.", why=f"{error.strerror or error}.", do=do) from error
    if len(content) > limit:
        do = "Give the published manifest."
        raise DataError(f"{file} is no manifest.", why=f"It has more than {limit} bytes.", do=do)
    return content


def digest_of(content: bytes) -> str:
    """sha256 of a manifest's bytes."""
    return hashlib.sha256(content).hexdigest()


def seal_fault(own: bytes, published: bytes) -> Failure | None:
    """Say that a manifest is not the one that was published, to the byte; None: it is."""
    if own == published:
        return None
    why = f"Its sha256 is {digest_of(own)}; that of the published one is {digest_of(published)}."
    do = "Hand in the submission that the published manifest is of, or publish a new version."
    return Failure("The manifest is not the published one.", why, do, MANIFEST)


def published_faults(files: Mapping[str, int], entries: Mapping[int, ArtifactEntry], rules: Rules) -> Iterator[Failure]:
    """What is wrong where only a manifest is to be published: artifacts that are there, and stated sizes.

    Args:
        files: What is there, with sizes.
        entries: Artifacts, by their place in the manifest.
        rules: Limits.
    """
    stated = 0
    for index, entry in entries.items():
        if entry.file is None:
            continue
        if entry.file in files:
            why = "Hand the files to the organisers: they are not to be published before closing."
            what, do = f"{entry.file} is here.", "Take it out of the pull request, and of its history."
            yield Failure(what, why, do, entry.file, index)
        stated += entry.bytes
        if entry.bytes > rules.file_bytes:
            why = f"artifacts[{index}].bytes says {entry.bytes}; the limit is {rules.file_bytes}."
            do = "Put it on the hub, and name repository, revision, path and sha256 under 'hub'."
            yield Failure(f"{entry.file} is too large.", why, do, MANIFEST, index)
    if stated > rules.total_bytes:
        why = f"All files together are stated to have {stated} bytes; the limit is {rules.total_bytes}."
        yield Failure("The submission is too large.", why, "Put large artifacts on the hub (key 'hub').", MANIFEST)


def sealed_note(entries: Mapping[int, ArtifactEntry]) -> list[str]:
    """What is to be said of artifacts that are not here to be read."""
    n = sum(entry.file is not None for entry in entries.values())
    words = "1 artifact is" if n == 1 else f"{n} artifacts are"
    return [f"{words} sealed, and will be read when handed in."] if n else []
