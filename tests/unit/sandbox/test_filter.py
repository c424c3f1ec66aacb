"""The filter of system calls, run step by step as the kernel does, for both processors."""

from __future__ import annotations

import errno
import struct

import pytest

from mibench.sandbox.filter import filter_program

_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def _decide(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    data = struct.pack("=iIQ6Q", number, architecture or _MACHINES[machine], 0, *(arguments + (0,) * 6)[:6])
    steps = list(struct.iter_unpack("=HBBI", filter_program(machine)))
    held, at = 0, 0
    while True:
        code, when_true, when_false, value = steps[at]
        at += 1
        if code == 0x20:
            held = struct.unpack_from("=I", data, value)[0]
        elif code == 0x06:
            return value
        else:
            test = {0x15: held == value, 0x35: held >= value, 0x45: bool(held & value)}[code]
            at += when_true if test else when_false


@pytest.mark.parametrize(
    ("machine", "mount", "ptrace", "clone", "openat", "chmods", "socket", "read"),
    [("x86_64", 165, 101, 56, 257, [90, 91, 268, 452], 41, 0), ("aarch64", 40, 117, 220, 56, [52, 53, 452], 198, 63)],
)
def test_the_filter_decides_by_number_and_argument(
    machine: str, mount: int, ptrace: int, clone: int, openat: int, chmods: list[int], socket: int, read: int
) -> None:
    refused = _ERROR | errno.EPERM
    assert _decide(machine, mount) == _decide(machine, ptrace) == refused
    assert _decide(machine, read) == _ALLOW
    assert _decide(machine, 435) == _ERROR | errno.ENOSYS
    assert [_decide(machine, chmod, 3, 0o777) for chmod in chmods] == [_ERROR] * len(chmods)
    assert _decide(machine, clone, 0x003D0F00) == _ALLOW  # as the C library starts a thread
    assert _decide(machine, clone, 0x10000011) == refused  # a user namespace
    create, write = 0o100, 0o1
    assert _decide(machine, openat, 0, 0, create | write, 0o644) == _ALLOW
    assert _decide(machine, openat, 0, 0, create | write, 0o4755) == refused
    assert _decide(machine, openat, 0, 0, write, 0o4755) == _ALLOW  # the mode means nothing here
    for family, allowed in ((1, False), (2, True), (10, True), (16, True), (38, False), (40, False)):
        assert (_decide(machine, socket, family) == _ALLOW) == allowed


def test_a_call_of_another_architecture_ends_the_program() -> None:
    assert _decide("x86_64", 0, architecture=0x40000003) == _KILL
    assert _decide("x86_64", 0x40000000) == _KILL


def test_the_program_is_short_enough_for_the_kernel_and_empty_for_processors_it_does_not_know() -> None:
    for machine in _MACHINES:
        assert 0 < len(filter_program(machine)) // 8 < 4096
    assert filter_program("riscv64") == b""
