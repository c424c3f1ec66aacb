"""The system calls that nothing confined may make, as a program for seccomp (classic BPF).

Capabilities are gone by then, so most of these would be refused anyhow; the filter keeps the kernel's least
walked paths out of reach, and memory that no process's size shows (memfd, System V segments).
"""

from __future__ import annotations

import errno
import struct

_Numbers = tuple[int, int | None]
"""On x86-64, and in the generic table of aarch64, where some older calls are left out."""

_REFUSED: dict[str, _Numbers] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "vmsplice": (278, 75),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "syslog": (103, 116),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "lookup_dcookie": (212, 18),
    "fanotify_init": (300, 262),
    # A pipe or device by name would wait for whoever opens what was handed in.
    "mknod": (133, None),
    "mknodat": (259, 33),
}
# Not there, as far as the C library sees; it then makes the older call, whose arguments can be looked at.
_MISSING: dict[str, _Numbers] = {"clone3": (435, 435), "openat2": (437, 437)}
# These do nothing and say that all is well. Modes are left as they are: a device's belongs to the whole machine,
# and a folder that nobody may open would hide what is in it.
_WITHOUT_EFFECT: dict[str, _Numbers] = {
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
}
# Access lists are modes by another name.
_UNSUPPORTED: dict[str, _Numbers] = {
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
}
_SET_ID = 0o6000
_CREATE = 0o100
# name: (numbers, ((argument, bits), …)): refused when each of these arguments has any of its bits. A program that
# is run as its owner must not stay behind.
_REFUSED_WITH: dict[str, tuple[_Numbers, tuple[tuple[int, int], ...]]] = {
    "clone": ((56, 220), ((0, 0x7E020000),)),  # new mount, cgroup, uts, ipc, user, pid, net namespaces
    "open": ((2, None), ((1, _CREATE), (2, _SET_ID))),
    "openat": ((257, 56), ((2, _CREATE), (3, _SET_ID))),
    "creat": ((85, None), ((1, _SET_ID),)),
}
_SOCKET = (41, 198)
# Internet and netlink, which belong to the network namespace. AF_VSOCK does not, and reaches a virtual machine's
# host; AF_UNIX would reach a socket that lies in a folder that can be read.
_FAMILIES = (2, 10, 16)
_ARCHITECTURE = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
_X32 = 0x40000000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16


def filter_program(machine: str) -> bytes:
    """Return the program for ``machine`` (``os.uname().machine``), empty where its system calls are not known here.

    Args:
        machine: Name of the processor, as the kernel gives it.
    """
    if machine not in _ARCHITECTURE:
        return b""
    architecture, column = _ARCHITECTURE[machine]
    steps = [
        _step(_LOAD, _MACHINE),
        _step(_EQUAL, architecture, 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
        _step(_AT_LEAST, _X32, 0, 1),
        _step(_RETURN, _KILL),
    ]
    tables = ((_REFUSED, errno.EPERM), (_MISSING, errno.ENOSYS), (_UNSUPPORTED, errno.EOPNOTSUPP), (_WITHOUT_EFFECT, 0))
    for table, code in tables:
        for numbers in table.values():
            if (number := numbers[column]) is not None:
                steps += [_step(_EQUAL, number, 0, 1), _step(_RETURN, _ERROR | code)]
    for numbers, tests in _REFUSED_WITH.values():
        if (number := numbers[column]) is not None:
            steps += _refusal(number, tests)
    return b"".join([*steps, *_families(_SOCKET[column]), _step(_RETURN, _ALLOW)])


def _refusal(number: int, tests: tuple[tuple[int, int], ...]) -> list[bytes]:
    inner: list[bytes] = []
    for place, (argument, bits) in enumerate(tests):
        left = 2 * (len(tests) - place - 1) + 1
        inner += [_step(_LOAD, _ARGUMENTS + 8 * argument), _step(_ANY_BIT, bits, 0, left)]
    inner.append(_step(_RETURN, _ERROR | errno.EPERM))
    return [_step(_EQUAL, number, 0, len(inner)), *inner, _step(_LOAD, _NUMBER)]


def _families(number: int) -> list[bytes]:
    known = [_step(_EQUAL, family, len(_FAMILIES) - place, 0) for place, family in enumerate(_FAMILIES)]
    inner = [_step(_LOAD, _ARGUMENTS), *known, _step(_RETURN, _ERROR | errno.EAFNOSUPPORT)]
    return [_step(_EQUAL, number, 0, len(inner)), *inner]


def _step(code: int, value: int, when_true: int = 0, when_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, when_true, when_false, value)
