"""Where artifacts are imported from: a folder, an archive, or a repository of the hub at a pinned revision."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mibench.core.errors import ModelError, UsageError
from mibench.core.files import exists, is_folder
from mibench.intake.imports.unpack import RULES, name_fault, unpack
from mibench.intake.members import is_archive
from mibench.models.hub import hub_folder
from mibench.runner.handed_in.refs import PREFIX, HubRef

_COMMIT = re.compile(r"[0-9a-f]{40}")
_PATTERN = frozenset("*?[]")


@dataclass(frozen=True)
class Source:
    """A source that can be looked at.

    Attributes:
        folder: Where it lies.
        name: Its name, of which the root's task and model may be told.
        left_out: What was left out on the way, and why.
    """

    folder: Path
    name: str
    left_out: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def opened(source: str) -> Iterator[Source]:
    """Give the folder of a source: itself, or a copy that is removed again.

    Args:
        source: A folder, a .zip, .tar or .tar.gz file, or ``hub:org/name@revision/folder``.

    Raises:
        UsageError: There is nothing of the kind, or the revision is not pinned.
        DataError: The archive cannot be unpacked.
        ModelError: The repository cannot be fetched.
    """
    if source.startswith(PREFIX):
        with _hub(source) as found:
            yield found
        return
    path = Path(source)
    if is_folder(path):
        yield Source(path.resolve(), path.resolve().name)
        return
    if not exists(path) or not is_archive(path):
        why = "It is no folder, and no .zip, .tar or .tar.gz." if exists(path) else "There is no such file or folder."
        do = "Give a folder, an archive, or hub:ORG/NAME@REVISION."
        raise UsageError(f"{source[:200]} cannot be imported.", why=why, do=do)
    with tempfile.TemporaryDirectory(prefix="mibench-") as place:
        top = Path(place) / "source"
        top.mkdir()
        left_out = unpack(path, top)
        inside = list(top.iterdir())
        alone = inside[0] if len(inside) == 1 and inside[0].is_dir() else top
        yield Source(alone, alone.name if alone is not top else path.name, left_out)


@contextmanager
def _hub(source: str) -> Iterator[Source]:
    ref = HubRef.parse(source)
    if ref.revision is None or not _COMMIT.fullmatch(ref.revision):
        why = "Branches and tags can move; a submission names what it was made from."
        do = f"Give the full commit: hub:{ref.repo}@REVISION, 40 hexadecimal digits; its page lists commits."
        raise UsageError(f"{source[:200]} is not pinned.", why=why, do=do)
    inside = (ref.inside or "").strip("/")
    if _PATTERN & set(inside):
        raise UsageError(f"{source[:200]} is a pattern.", why="One folder is imported.", do="Name the folder.")
    try:
        snapshot = hub_folder(ref.repo, ref.revision, [f"{inside}/*" if inside else "*"])
    except ModelError as error:
        do = f"{error.do.partition('; or')[0]}; or fetch it where there is a connection (hf download {ref.repo} "
        do += f"--revision {ref.revision} --local-dir FOLDER), and give FOLDER."
        raise ModelError(error.what, why=error.why, do=do) from error
    place = snapshot / inside if inside else snapshot
    if not is_folder(place):
        do = "Check its name on the page of the repository."
        raise UsageError(f"{source[:200]} cannot be imported.", why=f"There is no folder '{inside[:200]}'.", do=do)
    name = inside.rpartition("/")[2] or ref.repo.rpartition("/")[2]
    with tempfile.TemporaryDirectory(prefix="mibench-") as copy:
        target = Path(copy) / name
        yield Source(target, name, dict(_copied(place, snapshot.parent.parent, target)))


def _copied(place: Path, cache: Path, target: Path) -> Iterator[tuple[str, str]]:
    """Copy a folder of the hub's cache, where files are links to blobs of the same repository."""
    cache, total = cache.resolve(), 0
    target.mkdir()
    for number, path in enumerate(sorted(place.rglob("*"))):
        name = path.relative_to(place).as_posix()
        blob = path.resolve()
        if path.is_dir() and not path.is_symlink():
            continue
        why = name_fault(name) or (None if blob.is_file() and cache in blob.parents else "It is a link to elsewhere.")
        if why:
            yield name[:200], why
            continue
        total += blob.stat().st_size
        if number >= RULES.files or total > RULES.total_bytes:
            why = f"It has more than {RULES.files} files or {RULES.total_bytes} bytes."
            raise UsageError("The repository is too large to import.", why=why, do="Name a folder of it.")
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(blob, target / name)
