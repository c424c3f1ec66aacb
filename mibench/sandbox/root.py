"""Builds the file system of a confined process in a mount namespace of its own, from nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mibench.sandbox.kernel import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_REC, detach, mount, pivot, seal

_BASE = "/tmp"  # noqa: S108  any folder that every system has; what it holds stays in reach below the old root
_OLD, _NEW = "/old", "/new"
_DEVICES = ("null", "zero", "full", "random", "urandom")
_STREAMS = (("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"))
# Of the whole machine, not of the namespace: open to user 0 because that is the user here where it is outside.
_SECRET_FILES = ("kcore", "keys", "key-users", "kmsg", "kallsyms", "timer_list", "sysrq-trigger", "slabinfo")
_MORE_SECRET_FILES = ("vmallocinfo", "pagetypeinfo", "kpagecount", "kpageflags", "kpagecgroup", "mtrr", "config.gz")
_SECRET_FOLDERS = ("acpi", "bus", "driver", "fs", "irq", "scsi")
_SMALL = "size=1m,nr_inodes=16k,mode=755"


@dataclass(frozen=True)
class Root:
    """The file system to build.

    Attributes:
        read: Paths that are mounted read-only; a folder before what lies in it.
        write: The folder that can be written.
        links: Symlinks, as (path, target).
        scratch: The private folder for temporary files.
        scratch_bytes: Its size; /dev/shm has the same.
    """

    read: tuple[str, ...]
    write: str
    links: tuple[tuple[str, str], ...]
    scratch: str
    scratch_bytes: int

    @classmethod
    def of(cls, said: dict[str, Any]) -> Root:
        """Return the file system that ``said`` (the fields, from JSON) describes."""
        links = tuple((str(path), str(target)) for path, target in said["links"])
        return cls(tuple(said["read"]), said["write"], links, said["scratch"], int(said["scratch_bytes"]))


def build_root(root: Root) -> None:
    """Build ``root`` and move into it; what is not in it cannot be reached afterwards.

    Raises:
        OSError: The kernel refuses.
    """
    mount("none", _BASE, "tmpfs", MS_NOSUID | MS_NODEV, _SMALL)
    Path(_BASE + _OLD).mkdir()
    Path(_BASE + _NEW).mkdir()
    pivot(_BASE, _BASE + _OLD)
    os.chdir("/")
    mount("none", _NEW, "tmpfs", MS_NOSUID | MS_NODEV, _SMALL)
    scratch = f"size={root.scratch_bytes},nr_inodes=64k,mode=1777"
    _mount_new(root.scratch, "tmpfs", scratch)
    _mount_devices(scratch)
    _mount_processes()
    for path in sorted([*root.read, root.write]):
        _bind(path, read_only=path != root.write)
    for path, target in root.links:
        _link(path, target)
    seal(_NEW, read_only=True, below=False)
    _enter()


def write_switch(path: str, value: bytes) -> None:
    """Write ``value`` to a file of /proc, without what ``open`` may import by now.

    Raises:
        OSError: The kernel refuses.
    """
    handle = os.open(path, os.O_WRONLY)
    try:
        os.write(handle, value)
    finally:
        os.close(handle)


def _mount_new(path: str, kind: str, options: str = "") -> str:
    target = _NEW + path
    Path(target).mkdir(parents=True, exist_ok=True)
    mount("none", target, kind, MS_NOSUID | MS_NODEV, options)
    return target


def _mount_devices(scratch: str) -> None:
    folder = _mount_new("/dev", "tmpfs", _SMALL)
    for name in _DEVICES:
        _touch(f"{folder}/{name}")
        mount(f"{_OLD}/dev/{name}", f"{folder}/{name}", None, MS_BIND)
        # A device takes what is written all the same; its mode, which is the whole machine's, cannot be changed.
        seal(f"{folder}/{name}", read_only=True, no_exec=True, devices=True)
    for name, target in (*_STREAMS, ("stderr", "/proc/self/fd/2")):
        Path(folder, name).symlink_to(target)
    _mount_new("/dev/shm", "tmpfs", scratch)  # noqa: S108
    seal(folder, read_only=True, no_exec=True, below=False)


def _mount_processes() -> None:
    folder = _mount_new("/proc", "proc")
    for name in (*_SECRET_FILES, *_MORE_SECRET_FILES):
        if Path(folder, name).exists():
            mount(f"{_OLD}/dev/null", f"{folder}/{name}", None, MS_BIND)
    for name in _SECRET_FOLDERS:
        if Path(folder, name).is_dir():
            mount("none", f"{folder}/{name}", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=0,mode=555")
    # A limit of zero: no further user namespaces, in which a process would have capabilities again.
    write_switch(f"{folder}/sys/user/max_user_namespaces", b"0")
    # User 0 could set the whole machine's switches below /proc/sys.
    seal(folder, read_only=True, no_exec=True)


def _bind(path: str, *, read_only: bool) -> None:
    source, target = _OLD + path, _NEW + path
    if Path(source).is_dir():
        Path(target).mkdir(parents=True, exist_ok=True)
    elif not Path(target).exists():
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        _touch(target)
    mount(source, target, None, MS_BIND | MS_REC)
    seal(target, read_only=read_only)


def _link(path: str, target: str) -> None:
    place = Path(_NEW + path)
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.is_symlink():
        place.symlink_to(target)


def _touch(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))


def _enter() -> None:
    os.chdir(_NEW)
    pivot(".", ".")
    # Both roots are at the same place now, the old one on top.
    detach(".")
    os.chdir("/")
