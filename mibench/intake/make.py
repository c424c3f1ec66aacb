"""Make an artifact submission of one that holds methods: each is run in a sandbox, and only what it leaves counts.

The code sees its own folder, the models and public data; scoring is another process, later, that never sees the code.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from mibench.core.errors import ArtifactError, MethodError, StoreError, UsageError
from mibench.core.files import MIB, atomic_write, exists, is_file, read_text
from mibench.core.hashing import file_digest
from mibench.intake.check import DOCUMENTS, Asked, check_submission
from mibench.intake.draft import read_draft
from mibench.intake.failures import Report
from mibench.intake.make_plan import SUFFIX, plan_of
from mibench.intake.manifest import MANIFEST, CodeEntry, Submission
from mibench.intake.rules import Rules
from mibench.intake.sealed import digest_of, manifest_bytes
from mibench.intake.surroundings import local_copies, model_folders, surroundings
from mibench.intake.taking import take_file
from mibench.intake.template import FOLDER
from mibench.sandbox.confine import Backend, Confinement
from mibench.sandbox.run import Outcome, run_confined

MAKER = (sys.executable, "-P", "-s", "-m", "mibench.intake.make_artifacts")
"""The command that runs a method; its plan and the folder for artifacts follow."""
_SIGNALS = 128
End = Literal["failed", "timeout", "memory", "files", "artifact", "invalid"]
"""How making can go wrong: as a confined run does, or with a file that is none, or that fails the check."""


@dataclass(frozen=True)
class Means:
    """What making artifacts may use.

    Attributes:
        backend: What confines the methods.
        asked: How what they make is checked; its ``folders`` are models that no list has.
        seconds: Wall-clock time of all methods together, each time.
        memory_bytes: Resident memory.
        threads: Threads of one operation.
        dtype: Type of the weights.
        twice: Make everything twice, and compare.
    """

    backend: Backend
    asked: Asked = field(default_factory=Asked)
    seconds: float = 3600.0
    memory_bytes: int = 16 * 1024 * MIB
    threads: int = 1
    dtype: str = "float32"
    twice: bool = False


@dataclass(frozen=True)
class Made:
    """What was made.

    Attributes:
        folder: The new submission.
        digests: sha256 of each artifact, by its path in the folder.
        made_from: sha256 of the manifest with the methods.
        reproduced: Whether a second making gave the same bytes; None: there was none.
    """

    folder: Path
    digests: Mapping[str, str]
    made_from: str
    reproduced: bool | None


class NotMadeError(MethodError):
    """A method gave no artifacts that can be used.

    Attributes:
        end: How it ended.
        exit_code: Exit status, where it ended by itself.
        tail: End of what it wrote; untrusted.
        report: What is wrong with what it left, where that was checked.
    """

    def __init__(self, end: End, why: str, *, outcome: Outcome | None = None, report: Report | None = None) -> None:
        do = "Run it by hand with mibench discover, and mend it."
        super().__init__("No artifacts were made.", why=why, do=do)
        self.end = end
        self.exit_code = None if outcome is None else outcome.exit_code
        self.tail = "" if outcome is None else outcome.tail
        self.report = report

    @property
    def was_killed(self) -> bool:
        """Whether something from outside may have ended it, so that another try may go well."""
        code = self.exit_code
        return self.end == "failed" and (code is None or code < 0 or code > _SIGNALS)


def read_methods(folder: Path) -> Submission:
    """Read the manifest of a submission that has passed its check, and holds methods.

    Raises:
        UsageError: There is none, or it holds artifacts.
        DataError: It cannot be read.
    """
    draft = read_draft(read_text(folder / MANIFEST, max_bytes=Rules().manifest_bytes))
    if draft.submission is None or not draft.submission.methods:
        why = "Its manifest is not in order." if draft.submission is None else "It holds artifacts."
        raise UsageError(f"There is nothing to make of {folder}.", why=why, do="Check it with mibench submit check.")
    return draft.submission


def make_submission(source: Path, parent: Path, means: Means) -> Made:
    """Run the methods of a submission and write a submission of what they make, whole or not at all.

    Args:
        source: A submission that has passed its check.
        parent: Folder that the new one goes to, under the same name.
        means: What may be used.

    Raises:
        UsageError: It holds no methods, or the new folder is there.
        ArtifactError: A file of it is not the one that was checked.
        NotMadeError: A method failed, met a limit, or left what is no artifact.
        SandboxError: Nothing can be confined.
        StoreError: It cannot be written.
    """
    source = source.absolute()
    submission, target = read_methods(source), parent.absolute() / source.name
    if exists(target) or target.is_symlink():
        raise UsageError(f"{target} is not overwritten.", why="It exists.", do="Choose another folder.")
    work = target.parent / f".{target.name}.{secrets.token_hex(6)}.tmp"
    try:
        work.mkdir(parents=True)
        making = _Making(source, submission, means)
        made = making.run(work / "first")
        again = making.run(work / "second") if means.twice else None
        folder = work / target.name
        listed = making.write(folder, made)
        report = check_submission(folder, means.asked)
        if not report.passed:
            raise NotMadeError("invalid", f"{report.failures[0].what} {report.failures[0].why}", report=report)
        # Unlike replace, this fails where a folder with something in it is.
        os.rename(folder, target)  # noqa: PTH104
    except OSError as error:
        do = "Free space or choose another folder."
        raise StoreError(f"{target} could not be written.", why=f"{error.strerror or error}.", do=do) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    same = None if again is None else [one.sha256 for one in made] == [one.sha256 for one in again]
    return Made(target, {one["file"]: one["sha256"] for one in listed}, making.made_from, same)


@dataclass(frozen=True)
class _Piece:
    """An artifact that was made.

    Attributes:
        method: Place of its method in the manifest.
        pair: Task and model.
        path: The file.
        sha256: Its digest.
        size: Its bytes.
    """

    method: int
    pair: tuple[str, str]
    path: Path
    sha256: str
    size: int


class _Making:
    """The methods of one submission, and what they make."""

    def __init__(self, source: Path, submission: Submission, means: Means) -> None:
        self.source, self.submission, self.means = source, submission, means
        self.made_from = digest_of(manifest_bytes(source, Rules().manifest_bytes))

    def run(self, work: Path) -> list[_Piece]:
        """Run every method, one after the other, in the time that all have together."""
        self._check_files()
        work.mkdir()
        left, room, found = self.means.seconds, self.means.asked.rules.total_bytes, list[_Piece]()
        for index, entry in enumerate(self.submission.methods):
            if left <= 0:
                raise NotMadeError("timeout", "The methods together took too long.")
            left -= self._run_one(work, index, entry, left).seconds
            for piece in self._taken(work, index, entry, room):
                found.append(piece)
                room -= piece.size
            shutil.rmtree(_out(work, index), ignore_errors=True)
        return found

    def _check_files(self) -> None:
        for entry in self.submission.methods:
            file = self.source / entry.file
            if not is_file(file) or file.is_symlink() or file_digest(file) != entry.sha256:
                why = "Its sha256 is not the one of the manifest."
                raise ArtifactError(f"{entry.file} is not the file that was handed in.", why=why, do="Check it again.")

    def _run_one(self, work: Path, index: int, entry: CodeEntry, seconds: float) -> Outcome:
        means = self.means
        plan, out = work / f"{index:04d}.json", _out(work, index)
        folders = {name: path.absolute() for name, path in means.asked.folders.items()}
        atomic_write(plan, plan_of(entry, self.source, folders, means.dtype).model_dump_json())
        out.mkdir()
        read = {self.source, plan, *model_folders(entry.models, folders), *map(Path, local_copies().values())}
        confinement = Confinement(
            read=tuple(sorted(path.absolute() for path in read if path.exists())),
            write=out,
            seconds=seconds,
            memory_bytes=means.memory_bytes,
            file_bytes=2 * means.asked.rules.total_bytes,
            environment=surroundings(means.threads),
        )
        outcome = run_confined([*MAKER, str(plan), str(out)], confinement, means.backend)
        if outcome.status != "done":
            raise NotMadeError(outcome.status, _why(entry, outcome), outcome=outcome)
        return outcome

    def _taken(self, work: Path, index: int, entry: CodeEntry, room: int) -> Iterator[_Piece]:
        for number, pair in enumerate(entry.pairs):
            name = f"{number:04d}{SUFFIX}"
            path = work / f"{index:04d}-{name}"
            try:
                sha256, size = take_file(_out(work, index), name, path, min(room, self.means.asked.rules.file_bytes))
            except ArtifactError as error:
                why = f"{entry.function} in {entry.file} for {' on '.join(filter(None, pair))}: {error.why}"
                raise NotMadeError("artifact", why) from error
            room -= size
            yield _Piece(index, pair, path, sha256, size)

    def write(self, folder: Path, made: list[_Piece]) -> list[dict[str, Any]]:
        """Write the new submission; return what its manifest says of each artifact."""
        (folder / FOLDER).mkdir(parents=True)
        listed = []
        for number, pieces in enumerate(_together(made)):
            entry, first = self.submission.methods[pieces[0].method], pieces[0]
            file = f"{FOLDER}/{number:04d}{SUFFIX}"
            first.path.rename(folder / file)
            tasks, models = (dict.fromkeys(one.pair[place] for one in pieces) for place in (0, 1))
            own = {"track": entry.track.value, "tasks": list(tasks), "models": [name for name in models if name]}
            own |= entry.model_dump(mode="json", include={"level", "variable", "hook", "seed"}, exclude_none=True)
            listed.append(own | {"file": file, "sha256": first.sha256, "bytes": first.size})
        for name in DOCUMENTS:
            if is_file(self.source / name):
                take_file(self.source, name, folder / name, Rules().manifest_bytes)
        atomic_write(folder / MANIFEST, yaml.safe_dump(self._manifest(listed), sort_keys=False, allow_unicode=True))
        return listed

    def _manifest(self, listed: list[dict[str, Any]]) -> dict[str, Any]:
        head = self.submission.model_dump(mode="json", exclude={"artifacts", "methods"}, exclude_none=True)
        given = [entry.parameters for entry in self.submission.methods]
        # Of methods with parameters of their own, the files say which.
        own = given[0] if all(one == given[0] for one in given) else {}
        return head | {"parameters": head["parameters"] | own, "made_from": self.made_from, "artifacts": listed}


def _out(work: Path, index: int) -> Path:
    return work / f"{index:04d}"


def _together(made: list[_Piece]) -> list[list[_Piece]]:
    """Pieces of one method with the same bytes, as far as they are all of some tasks on all of some models."""
    by_model: dict[tuple[int, str, str], list[_Piece]] = {}
    for one in made:
        by_model.setdefault((one.method, one.sha256, one.pair[1]), []).append(one)
    groups: dict[tuple[int, str, tuple[str, ...]], list[_Piece]] = {}
    for (method, sha256, _), pieces in by_model.items():
        groups.setdefault((method, sha256, tuple(one.pair[0] for one in pieces)), []).extend(pieces)
    return list(groups.values())


def _why(entry: CodeEntry, outcome: Outcome) -> str:
    words = {
        "failed": f"ended with exit status {outcome.exit_code}",
        "timeout": "took too long",
        "memory": "took too much memory",
        "files": "wrote too much",
    }
    return f"{entry.function} in {entry.file} {words[outcome.status]}."
