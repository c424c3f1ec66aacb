"""The calls of the Linux kernel that the standard library of python 3.11 lacks."""

from __future__ import annotations

import ctypes
import os

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV, _ATTR_NOEXEC = 1, 2, 4, 8
_AT_FDCWD, _AT_RECURSIVE, _MNT_DETACH = -100, 0x8000, 2
# The same numbers on every machine with the generic table, x86-64 included.
_MOUNT_SETATTR = 442
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_CAPSET = {"x86_64": 126, "aarch64": 91}

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_CAPBSET_DROP = 1, 4, 22, 24
_PR_SET_SECUREBITS, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 28, 38, 47
_CAP_AMBIENT_CLEAR_ALL, _SECCOMP_FILTER = 4, 2
# No capabilities for user 0, none kept or raised, and all of that locked.
_SECURE_ALL = 0b11101111
_CAPABILITY_VERSION, _CAPABILITIES = 0x20080522, 64
_SIGKILL = 9

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]


class _Attributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "user_namespace")]


class _Filter(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("program", ctypes.c_char_p)]


def mount(source: str, target: str, kind: str | None = None, flags: int = 0, options: str = "") -> None:
    """Mount ``source`` at ``target``.

    Args:
        source: Path or name.
        target: Existing path.
        kind: Type of file system; none for a bind mount.
        flags: ``MS_*``.
        options: Options of the file system.

    Raises:
        OSError: The kernel refuses.
    """
    name = kind.encode() if kind is not None else None
    done = _libc.mount(os.fsencode(source), os.fsencode(target), name, flags, options.encode())
    _checked(done, f"mount {target}")


def seal(target: str, *, read_only: bool, no_exec: bool = False, below: bool = True, devices: bool = False) -> None:
    """Take rights from the mount at ``target``: no devices, no set-user-ID, and what is asked for.

    Args:
        target: A mount point.
        read_only: Nothing can be written there.
        no_exec: Nothing can be run from there.
        below: The mounts below it too.
        devices: Devices stay devices.

    Raises:
        OSError: The kernel refuses, or is older than 5.12.
    """
    taken = _ATTR_NOSUID | _ATTR_NODEV * (not devices) | _ATTR_RDONLY * read_only | _ATTR_NOEXEC * no_exec
    attributes = _Attributes(set=taken)
    done = _libc.syscall(
        ctypes.c_long(_MOUNT_SETATTR),
        ctypes.c_long(_AT_FDCWD),
        ctypes.c_char_p(os.fsencode(target)),
        ctypes.c_long(_AT_RECURSIVE * below),
        ctypes.byref(attributes),
        ctypes.c_size_t(ctypes.sizeof(attributes)),
    )
    _checked(done, f"mount_setattr {target}")


def pivot(root: str, old: str) -> None:
    """Make ``root`` the root of the file system and put the present one at ``old``.

    Raises:
        OSError: The kernel refuses.
    """
    number = ctypes.c_long(_PIVOT_ROOT[os.uname().machine])
    done = _libc.syscall(number, ctypes.c_char_p(os.fsencode(root)), ctypes.c_char_p(os.fsencode(old)))
    _checked(done, f"pivot_root {root}")


def detach(target: str) -> None:
    """Take the mounts at ``target`` away.

    Raises:
        OSError: The kernel refuses.
    """
    _checked(_libc.umount2(ctypes.c_char_p(os.fsencode(target)), _MNT_DETACH), f"umount {target}")


def drop_privileges() -> None:
    """Give up every capability for good, for this process and all it starts.

    Raises:
        OSError: The kernel refuses.
    """
    # Needs a capability itself, and is not needed where there is none to be had (a namespace of somebody else).
    held = _libc.prctl(_PR_SET_SECUREBITS, _SECURE_ALL, 0, 0, 0) == 0
    for capability in range(_CAPABILITIES):
        if held and _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break
    _checked(_libc.prctl(_PR_CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "clearing ambient capabilities")
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    none = (ctypes.c_uint32 * 6)()
    number = ctypes.c_long(_CAPSET[os.uname().machine])
    _checked(_libc.syscall(number, ctypes.byref(header), ctypes.byref(none)), "capset")
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def hide_from_children() -> None:
    """Keep other processes of the same user from tracing this one, and die with the parent.

    Raises:
        OSError: The kernel refuses.
    """
    _checked(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "PR_SET_DUMPABLE")
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0), "PR_SET_PDEATHSIG")


def install_filter(program: bytes) -> None:
    """Refuse system calls from now on as ``program`` says (seccomp).

    Raises:
        OSError: The kernel refuses.
    """
    described = _Filter(len(program) // 8, program)
    address = ctypes.addressof(described)
    _checked(_libc.prctl(_PR_SET_SECCOMP, _SECCOMP_FILTER, address, 0, 0), "seccomp")


def set_host_name(name: str) -> None:
    """Set the name of the host in this namespace.

    Raises:
        OSError: The kernel refuses.
    """
    _checked(_libc.sethostname(ctypes.c_char_p(name.encode()), ctypes.c_size_t(len(name))), "sethostname")


def _checked(result: int, doing: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{doing}: {os.strerror(code)}")
