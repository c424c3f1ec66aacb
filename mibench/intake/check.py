"""Check a submission: a folder or an archive, everything that is wrong with it in one run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from mibench.core.errors import DataError, MibenchError, UsageError
from mibench.core.files import exists, is_folder, read_text
from mibench.core.hashing import file_digest
from mibench.intake.archive import unpacked
from mibench.intake.cells import coverage_faults, hub_fault, repeated, task_faults, too_many, track_faults
from mibench.intake.code_files import code_refused, methods_faults, without_index
from mibench.intake.contents import content_fault, document_fault
from mibench.intake.draft import Draft, read_draft
from mibench.intake.failures import Failure, Findings, Report
from mibench.intake.manifest import MANIFEST, ArtifactEntry, CellEntry, Submission
from mibench.intake.members import is_archive
from mibench.intake.model_sizes import ModelSizes, model_sizes
from mibench.intake.names import collisions, folder_name, parse_folder_name
from mibench.intake.reading import artifact_faults
from mibench.intake.round import Round
from mibench.intake.round_faults import code_fault, round_faults, round_notes
from mibench.intake.rules import Rules
from mibench.intake.sealed import digest_of, manifest_bytes, published_faults, seal_fault, sealed_note
from mibench.intake.tree import listed
from mibench.models.hub import hub_file

SUBMISSIONS = "submissions"
"""Name of a folder in which all submissions lie together."""
DOCUMENTS = ("README.md", "LICENSE")
"""Texts that a submission may have besides."""


@dataclass(frozen=True)
class Asked:
    """How to check.

    Attributes:
        rules: Limits.
        folders: Models on this machine that mibench does not know, by name.
        fetch: Whether artifacts on the hub are fetched, and read too.
        round: The shared task that it is for; None: none. Its limits are ``rules`` (``round.rules()``).
        manifest_only: Artifacts are sealed: the manifest alone is checked, and no artifact may be there.
        published: The manifest that was published while the artifacts were sealed; None: none was.
        smoke: Rows that each artifact of a submission without failures is scored on, for warnings; None: not scored.
    """

    rules: Rules = field(default_factory=Rules)
    folders: Mapping[str, Path] = field(default_factory=dict)
    fetch: bool = False
    round: Round | None = None
    manifest_only: bool = False
    published: Path | None = None
    smoke: int | None = None


def check_submission(path: Path | str, asked: Asked | None = None) -> Report:
    """Check a submission's folder, or an archive of one.

    Nothing in it is run, no link is followed, and an archive is only unpacked, to a folder that is removed again, once
    every name, kind and size in it is as it should be.

    Args:
        path: The folder, or a .zip, .tar or .tar.gz file.
        asked: How to check; None: by the rules.

    Raises:
        UsageError: There is nothing of the kind, or no published manifest.
    """
    found, asked = Path(path), asked or Asked()
    if is_folder(found):
        return _folder(found, asked, Findings())
    if not exists(found):
        why = "There is no such file or folder."
        raise UsageError(f"{str(path)[:200]} cannot be checked.", why=why, do="Check the path.")
    if not is_archive(found):
        why = "It is no folder, and no .zip, .tar or .tar.gz."
        raise UsageError(f"{str(path)[:200]} cannot be checked.", why=why, do="Give the submission's folder.")
    findings = Findings()
    with unpacked(found, asked.rules, findings) as inside:
        return Report(found.name, findings.all()) if inside is None else _folder(inside, asked, findings)


def _folder(folder: Path, asked: Asked, findings: Findings) -> Report:
    folder = folder.absolute()
    files = listed(folder, asked.rules, findings)
    report = Report(folder.name, n_files=len(files), n_bytes=sum(files.values()))
    try:
        parse_folder_name(folder.name)
    except DataError as error:
        findings.add(Failure.of(error))
    findings.add(*_siblings(folder))
    manifest = _manifest(folder, files, asked, findings)
    read: dict[int, Path] = {}
    if manifest is not None:
        draft, content = manifest
        report = replace(report, manifest_sha256=digest_of(content))
        place = _Place(folder, files, asked)
        _check_files(place, draft, findings)
        read = _check_artifacts(place, draft, findings)
        _check_methods(place, draft, findings)
        _check_whole(folder, draft.submission, asked.rules, findings)
        _check_round(asked, draft, findings)
        if asked.smoke is not None:
            findings.notes += _smoked(asked, asked.smoke, draft, read, passed=not findings.failures)
    return replace(report, failures=findings.all(), notes=tuple(findings.notes), n_read=len(read))


def _smoked(asked: Asked, rows: int, draft: Draft, read: Mapping[int, Path], *, passed: bool) -> list[str]:
    if not passed:
        return ["Nothing was scored on validation rows: mend the failures first."]
    if draft.methods:
        return ["Nothing was scored: artifacts are made of methods first, with mibench submit make."]
    from mibench.intake.smoke.notes import smoke_notes

    return smoke_notes({index: (draft.entries[index], path) for index, path in read.items()}, rows, asked.folders)


def _siblings(folder: Path) -> list[Failure]:
    """Submissions beside this one whose names differ in case only."""
    names = []
    with suppress(OSError):
        names = [one.name for one in folder.parent.iterdir() if one.name.casefold() == folder.name.casefold()]
    what, why = "Another submission has nearly this name.", "They differ in upper and lower case only."
    return [
        Failure(f"{what}", f"{first}, {second}: {why}", "Rename it.") for first, second in collisions(sorted(names))
    ]


def _manifest(folder: Path, files: Mapping[str, int], asked: Asked, findings: Findings) -> tuple[Draft, bytes] | None:
    """What the manifest says, and its bytes, which are held against the published ones."""
    if MANIFEST not in files:
        do = "Write one with mibench submit init."
        findings.add(Failure(f"There is no {MANIFEST}.", "It says what is handed in.", do, MANIFEST))
        return None
    limit = asked.rules.manifest_bytes
    published = None if asked.published is None else manifest_bytes(asked.published, limit)
    try:
        draft = read_draft(read_text(folder / MANIFEST, max_bytes=limit))
        own = manifest_bytes(folder, limit)
    except DataError as error:
        findings.add(Failure(f"{MANIFEST} cannot be read.", error.why, error.do, MANIFEST))
        return None
    findings.add(*draft.failures)
    fault = None if published is None else seal_fault(own, published)
    findings.add(*([fault] if fault else []))
    return draft, own


def _check_files(place: _Place, draft: Draft, findings: Findings) -> None:
    """Documents are texts, and every other file is an artifact of the manifest."""
    for name in sorted(place.files):
        if name in DOCUMENTS:
            fault = document_fault(place.folder / name, name, Rules().manifest_bytes)
            findings.add(*([fault] if fault else []))
        elif name != MANIFEST and name not in draft.listed:
            why = f"{MANIFEST} does not list it; scores and records are made here, never handed in."
            odd = Failure(f"{name} does not belong here.", why, "List it under artifacts, or remove it.", name)
            findings.add(code_fault(place.asked.round, name) or odd)
    if place.asked.manifest_only:
        findings.add(*published_faults(place.files, draft.entries, place.asked.rules))
        findings.notes += sealed_note(draft.entries)


@dataclass(frozen=True)
class _Place:
    """A folder that is being checked, with its files."""

    folder: Path
    files: Mapping[str, int]
    asked: Asked


def _check_artifacts(place: _Place, draft: Draft, findings: Findings) -> dict[int, Path]:
    """Check the artifacts; return those that could be read, by their place in the manifest."""
    crowd = too_many(draft.entries)
    findings.add(*(repeated(draft.entries) if crowd is None else [crowd]))
    heavy = hub_fault(draft.entries, place.asked.rules)
    if heavy is not None:
        findings.add(heavy)
        place = replace(place, asked=replace(place.asked, fetch=False))
    sizes = _sizes(place.asked, draft.entries, findings)
    read = {}
    for index, entry in draft.entries.items():
        findings.add(*task_faults(index, entry))
        path = _path_of(place, index, entry, findings)
        if path is not None and _is_itself(path, index, entry, findings):
            read[index] = path
            for error in artifact_faults(path, entry, sizes):
                what, why = f"{entry.path} cannot be used.", error.why.replace(f"{place.folder}/", "")
                findings.add(Failure(what, why, error.do, entry.path, index))
    return read


def _check_methods(place: _Place, draft: Draft, findings: Findings) -> None:
    """Methods are read as text, where they are taken at all; nothing of them is run."""
    refused = None if place.asked.rules.code else code_refused(draft.methods)
    if refused is not None:
        findings.add(refused)
        return
    _sizes(place.asked, draft.methods, findings)
    findings.add(*methods_faults(place.folder, place.files, draft.methods))


def _path_of(place: _Place, index: int, entry: ArtifactEntry, findings: Findings) -> Path | None:
    """Where the file of an artifact is; None: nowhere, or it is not to be read."""
    if entry.file is not None and place.asked.manifest_only:
        return None
    if entry.file is not None:
        if entry.file in place.files:
            return place.folder / entry.file
        # Of what is there, but is no file that can be read, that has been said.
        if not os.path.lexists(place.folder / entry.file):
            what, do = f"There is no file {entry.file}.", "Put it there, or correct the path."
            findings.add(Failure(what, f"artifacts[{index}] names it.", do, entry.file, index))
    elif entry.hub is not None and place.asked.fetch:
        try:
            return hub_file(entry.hub.repo, entry.hub.path, entry.hub.revision, entry.bytes)
        except MibenchError as error:
            findings.add(Failure.of(error, entry.path, index))
    else:
        findings.notes.append(f"artifacts[{index}] is on the hub and was not read: {entry.path}.")
    return None


def _is_itself(path: Path, index: int, entry: ArtifactEntry, findings: Findings) -> bool:
    """Whether a file is the one that the manifest names, and can be read; what is wrong goes to ``findings``."""
    name = entry.path
    try:
        fault = content_fault(path, name)
        size, digest = path.stat().st_size, file_digest(path)
    except OSError as error:
        why = f"{error.strerror or error}."
        findings.add(Failure(f"{name} cannot be read.", why, "Check its rights.", name, index))
        return False
    if fault is not None:
        findings.add(replace(fault, index=index))
    for key, own, stated in (("bytes", size, entry.bytes), ("sha256", digest, entry.sha256)):
        if own != stated:
            what, why = f"{name} is not the file that was listed.", f"Its {key}: {own}; the manifest says {stated}."
            findings.add(Failure(what, why, f"Correct artifacts[{index}].{key}, or restore the file.", name, index))
    return fault is None


def _sizes(asked: Asked, entries: Mapping[int, CellEntry], findings: Findings) -> dict[str, ModelSizes]:
    """Sizes of all models; of one that is not known, the first artifact that names it has the failure."""
    first: dict[str, int | None] = {}
    for number, entry in entries.items():
        index = number if isinstance(entry, ArtifactEntry) else None
        for model in entry.models:
            first.setdefault(model, index)
    sizes = {}
    for model, index in first.items():
        try:
            sizes[model] = model_sizes(model, asked.folders)
        except MibenchError as error:
            findings.add(Failure.of(error, MANIFEST, index))
    return sizes


def _check_whole(folder: Path, submission: Submission | None, rules: Rules, findings: Findings) -> None:
    if submission is None:
        return
    if submission.name != folder.name:
        what, why = "The folder has another name than the submission.", f"The manifest says {submission.name}."
        findings.add(Failure(what, why, f"Rename the folder {folder.name[:200]}, or correct the manifest.", MANIFEST))
    findings.add(*track_faults(submission), *coverage_faults(submission, rules))
    findings.notes += _superseded(folder, submission)
    if "test" in submission.training_data.splits:
        findings.notes.append("It was made with data of the test split, and will be shown as such.")


def _superseded(folder: Path, submission: Submission) -> list[str]:
    """Among submissions that lie together, the version that one takes the place of is looked for."""
    older = folder_name(submission.team, submission.method, submission.supersedes or "")
    if submission.supersedes is None or folder.parent.name != SUBMISSIONS or is_folder(folder.parent / older):
        return []
    return [f"It supersedes {older}, which is not beside it: check the name."]


def _check_round(asked: Asked, draft: Draft, findings: Findings) -> None:
    if asked.round is None:
        return
    findings.notes += round_notes(asked.round, datetime.now(UTC))
    entries = draft.methods or draft.entries
    if too_many(entries) is None:
        found = round_faults(asked.round, entries)
        findings.add(*(without_index(found) if draft.methods else found))
