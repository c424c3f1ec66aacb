"""What is in a commit, read from git's objects: nothing is checked out, no hook, filter or attribute is applied."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mibench.core.errors import UsageError
from mibench.intake.tree import Entry

_SECONDS = 60
_COMMIT = re.compile(r"[0-9a-f]{40,64}")
_GITLINK = "160000"


@dataclass(frozen=True)
class Change:
    """A path that a change touches.

    Attributes:
        kind: A added, M modified, D deleted, T of another type.
        path: As git has it; what is no UTF-8 is replaced.
    """

    kind: str
    path: str


@dataclass(frozen=True)
class Blob:
    """A file of a commit: where it is, with its size and mode, and its object."""

    entry: Entry
    object: str


@dataclass(frozen=True)
class Repository:
    """A git repository on this machine.

    Attributes:
        folder: Its folder, or one inside it.
    """

    folder: Path

    def commit(self, ref: str) -> str:
        """The full hash of a commit.

        Raises:
            UsageError: There is none of that name, or no repository.
        """
        found = self._read("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").strip()
        name = found.decode("ascii", "replace")
        if not _COMMIT.fullmatch(name):
            raise _refused(f"{ref[:200]} is no commit.", "git does not know it.", "Fetch it first.")
        return name

    def changes(self, base: str, head: str) -> list[Change]:
        """What changed on the way to ``head`` since it left ``base``, without renames."""
        words = ("diff-tree", "-r", "-z", "--no-renames", "--name-status", "--no-ext-diff")
        parts = self._read(*words, self._fork(base, head), head).split(b"\0")[:-1]
        return [Change(_text(kind)[:1], _text(path)) for kind, path in zip(parts[::2], parts[1::2], strict=True)]

    def folders(self, commit: str, under: str) -> list[str]:
        """Names of the folders right below one of a commit."""
        parts = self._read("ls-tree", "-d", "-z", "--name-only", commit, f"{under}/").split(b"\0")[:-1]
        return [_text(part).removeprefix(f"{under}/") for part in parts]

    def files(self, commit: str, folder: str) -> Iterator[Blob]:
        """Everything below a folder of a commit; links and modules of git are told by their mode."""
        for line in self._read("ls-tree", "-r", "-l", "-z", commit, f"{folder}/").split(b"\0")[:-1]:
            facts, _, path = line.partition(b"\t")
            mode, _, name, size = _text(facts).split()
            inside = _text(path).removeprefix(f"{folder}/")
            # git has no type for its modules that os knows: they are shown as links, which they resemble.
            kind = 0o120000 if mode == _GITLINK else int(mode, 8)
            yield Blob(Entry(inside, int(size) if size.isdigit() else 0, kind), name)

    def content(self, blob: Blob) -> bytes:
        """The bytes of a file."""
        return self._read("cat-file", "blob", blob.object)

    def _fork(self, base: str, head: str) -> str:
        found = self._read("merge-base", base, head).decode("ascii", "replace").strip()
        if not _COMMIT.fullmatch(found):
            why = "They have no common ancestor here; a shallow clone may lack it."
            raise _refused(f"{base[:12]} and {head[:12]} cannot be compared.", why, "Fetch the whole history.")
        return found

    def _read(self, *words: str) -> bytes:
        git = shutil.which("git")
        if git is None:
            raise _refused("git is not there.", "It is not on the path.", "Install it.")
        command = [git, "--literal-pathspecs", "-C", str(self.folder), *words]
        environment = os.environ | {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
        try:
            return subprocess.run(command, capture_output=True, timeout=_SECONDS, check=True, env=environment).stdout
        except subprocess.CalledProcessError as error:
            if error.returncode == 1:
                return b""
            why = " ".join(_text(error.stderr).split())[:300] or f"git ended with status {error.returncode}."
            raise _refused(f"git {words[0]} failed.", why, "Check the repository and the commits.") from error
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            why = " ".join(str(error).split())[:300]
            raise _refused(f"git {words[0]} failed.", why, "Check the repository and the commits.") from error


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _refused(what: str, why: str, do: str) -> UsageError:
    return UsageError(what, why=why, do=do)
