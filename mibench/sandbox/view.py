"""What a confined process sees of the file system: a short list of paths, everything else is absent."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import mibench

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# The dynamic linker's cache and list; nothing that names users or hosts.
_SETTINGS = ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime")
# Counted by libraries that start threads.
_PROCESSORS = ("/sys/devices/system/cpu", "/sys/devices/system/node")
# As many as the kernel follows.
_MOST_LINKS = 40


@dataclass(frozen=True)
class View:
    """Paths that are seen, each at its own place.

    Attributes:
        read: Real paths that are seen read-only; a folder comes before what lies in it.
        write: Real path of the folder that can be written.
        links: Symlinks to make, as (path, target): other names under which the paths above were given.
    """

    read: tuple[Path, ...]
    write: Path
    links: tuple[tuple[Path, Path], ...]


def view_of(read: Iterable[Path], write: Path, *, system: bool = True) -> View:
    """Return what is seen: the system's libraries, python's folders, ``read`` and ``write``.

    Args:
        read: Files and folders that are seen read-only.
        write: The folder that can be written.
        system: Whether /usr and its like are seen; not where an image brings its own.
    """
    names = [Path(name) for name in (*_SYSTEM, *_SETTINGS, *_PROCESSORS)] if system else []
    wanted = [path.absolute() for path in (*names, *python_folders(), *read) if path.exists()]
    real = {path.resolve() for path in wanted} - {write.resolve()}
    seen = real | {write.resolve()}
    real = {path for path in real if _nearest(path, seen) not in real}
    given = {path: path.resolve() for path in [*wanted, *_names_of_python(), write.absolute()]}
    links = {path: target for path, target in given.items() if path != target and not _is_there(path, seen)}
    shortest = {path: target for path, target in links.items() if not links.keys() & set(path.parents)}
    return View(tuple(sorted(real)), write.resolve(), tuple(sorted(shortest.items())))


def _nearest(path: Path, seen: set[Path]) -> Path | None:
    return next((above for above in path.parents if above in seen), None)


def _is_there(path: Path, seen: set[Path]) -> bool:
    return path.parent == path.parent.resolve() and not seen.isdisjoint(path.parents)


def _names_of_python() -> list[Path]:
    names = [Path(sys.executable).absolute()]
    while names[-1].is_symlink() and len(names) < _MOST_LINKS:
        names.append(names[-1].parent / names[-1].readlink())
    return names


def python_folders() -> list[Path]:
    """Folders that this interpreter and this package need: its prefixes, the package, the files shipped beside it."""
    package = Path(mibench.__file__).resolve().parent
    # A checkout keeps the shipped files beside the package; the rest of the checkout is nobody's business.
    shipped = (
        [package.parent / name for name in ("data", "runs")] if (package.parent / "pyproject.toml").exists() else []
    )
    own = Path(interpreter()).parent.parent
    return [folder for folder in (Path(sys.prefix), Path(sys.base_prefix), own, package, *shipped) if folder.is_dir()]


def interpreter() -> str:
    """Real path of the interpreter, which works without the environment that it was started from."""
    return str(Path(sys.executable).resolve())
