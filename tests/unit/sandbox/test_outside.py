"""A confined program reaches nothing that it was not given, however it tries."""

from __future__ import annotations

import os
import socket
import stat
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from confined import Confined

_NETWORK = """
def connect(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as mine:
        mine.settimeout(2)
        mine.connect(address)
answer["this machine"] = works(lambda: connect(socket.AF_INET, ("127.0.0.1", given["port"])))
answer["elsewhere"] = works(lambda: connect(socket.AF_INET, ("192.0.2.1", 80)))
answer["version 6"] = works(lambda: connect(socket.AF_INET6, ("::1", given["port"])))
answer["a socket in a folder"] = works(lambda: connect(socket.AF_UNIX, given["path"]))
answer["the host of a virtual machine"] = works(lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM))
answer["names"] = works(lambda: socket.getaddrinfo("example.com", 80))
answer["interfaces"] = [name for _, name in socket.if_nameindex()]
"""


def test_no_network_is_reached_by_any_family(confined: Confined) -> None:
    shown = confined.room / "shown"
    shown.mkdir()
    with socket.socket() as listener, socket.socket(socket.AF_UNIX) as local:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        local.bind(str(shown / "socket"))
        local.listen()
        given = {"port": listener.getsockname()[1], "path": str(shown / "socket")}
        answer = confined.ask(_NETWORK, given, read=(shown,))
    interfaces = answer.pop("interfaces")
    assert not any(answer.values()), answer
    # The kernel makes tunnels of its own in every network namespace; none leads anywhere.
    assert not {name for name in interfaces if name.startswith(("eth", "en", "wl", "docker", "br"))}


def test_files_that_were_not_named_are_not_there(confined: Confined) -> None:
    secret = confined.room / "secret"
    secret.write_text("word")
    places = [
        str(secret),
        "/etc/passwd",
        "/etc/shadow",
        "/etc/hostname",
        "/root/.ssh",
        "/home",
        "/var",
        "/run",
        "/boot",
    ]
    seen = confined.ask("answer['seen'] = [path for path in given if os.path.lexists(path)]", places)["seen"]
    assert seen == []


def test_every_file_of_the_confined_system_belongs_to_a_short_list(confined: Confined) -> None:
    allowed = {"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "etc", "proc", "dev", "sys", "tmp"}
    mounted = {Path(sys.prefix).parts[1], Path(sys.base_prefix).parts[1], Path(__file__).resolve().parts[1]}
    seen = confined.ask("answer['seen'] = os.listdir('/')")["seen"]
    assert set(seen) <= allowed | mounted | {confined.write.parts[1]}


def test_what_is_to_be_read_is_seen_at_its_own_path_and_cannot_be_changed(confined: Confined) -> None:
    shown = confined.room / "shown"
    shown.mkdir()
    (shown / "file").write_text("word")
    (shown / "gone").symlink_to("/etc/passwd")
    program = """
file = given + "/file"
answer["read"] = open(file).read()
answer["changed"] = {
    "write": works(lambda: open(file, "a")),
    "make": works(lambda: open(given + "/new", "w")),
    "remove": works(lambda: os.unlink(file)),
    "rename": works(lambda: os.rename(file, given + "/b")),
    "truncate": works(lambda: os.truncate(file, 0)),
    "time": works(lambda: os.utime(file)),
    "symlink": works(lambda: open(given + "/gone").read()),
    "interpreter": works(lambda: open(os.path.realpath(sys.executable), "a")),
    "library": works(lambda: open(os.__file__, "a")),
    "system": works(lambda: open("/usr/new", "w")),
    "root": works(lambda: open("/new", "w")),
    "switches": works(lambda: open("/proc/sys/kernel/core_pattern", "w")),
    "own switches": works(lambda: open("/proc/sys/user/max_user_namespaces", "w")),
    "cgroups": os.path.exists("/sys/fs/cgroup"),
}
os.chmod(file, 0)
"""
    answer = confined.ask(program, str(shown), read=(shown,))
    assert answer["read"] == "word"
    assert not any(answer["changed"].values()), answer["changed"]
    assert (shown / "file").read_text() == "word"
    assert stat.S_IMODE((shown / "file").stat().st_mode) & 0o400


def test_a_path_given_by_another_name_is_seen_under_it(confined: Confined) -> None:
    real = confined.room / "real"
    real.mkdir()
    (real / "file").write_text("word")
    name = confined.room / "name"
    name.symlink_to(real)
    assert confined.ask("answer['read'] = open(given).read()", str(name / "file"), read=(name,)) == {"read": "word"}


_ESCAPES = """
MS_REMOUNT, MS_BIND, CLONE_NEWUSER, CLONE_NEWNS = 32, 4096, 0x10000000, 0x20000
def call(function, *arguments):
    return getattr(libc, function)(*arguments) != -1
def clone(flags):
    pid = libc.syscall(ctypes.c_long(given["clone"]), ctypes.c_long(flags | 17), None, None, None, None)
    if pid == 0:
        os._exit(0)
    return pid != -1
answer = {
    "remount": call("mount", b"none", b"/usr", None, MS_REMOUNT | MS_BIND, None),
    "remount read": call("mount", b"none", given["read"].encode(), None, MS_REMOUNT | MS_BIND, None),
    "bind": call("mount", b"/usr", b"/tmp", None, MS_BIND, None),
    "tmpfs": call("mount", b"none", b"/tmp", b"tmpfs", 0, None),
    "proc": call("mount", b"none", b"/tmp", b"proc", 0, None),
    "umount": call("umount2", b"/usr", 2),
    "umount root": call("umount2", b"/", 2),
    "chroot": works(lambda: os.chroot("/tmp")),
    "new user namespace": call("unshare", CLONE_NEWUSER),
    "new user and mount namespace": call("unshare", CLONE_NEWUSER | CLONE_NEWNS),
    "new mount namespace": call("unshare", CLONE_NEWNS),
    "new process in a user namespace": clone(CLONE_NEWUSER),
    "enter namespace": works(lambda: call("setns", os.open("/proc/1/ns/mnt", os.O_RDONLY), 0)),
    "enter own namespace": call("setns", os.open("/proc/self/ns/mnt", os.O_RDONLY), 0),
    "trace the first process": call("ptrace", 16, 1, None, None),
    "root of the first process": works(lambda: os.listdir("/proc/1/root/")),
    "folder of the first process": works(lambda: os.listdir("/proc/1/cwd/")),
    "memory of the first process": works(lambda: open("/proc/1/mem", "rb")),
    "voice of the first process": works(lambda: open("/proc/1/fd/1", "w")),
    "ears of the first process": works(lambda: open("/proc/1/fd/0")),
    "target of its streams": works(lambda: os.readlink("/proc/1/fd/1")),
    "environment of the first process": works(lambda: open("/proc/1/environ").read()),
    "up": os.path.exists("../" * 40 + "etc/passwd"),
    "kernel memory": works(lambda: open("/proc/kcore", "rb").read(1)),
    "sysrq": works(lambda: open("/proc/sysrq-trigger", "w")),
    "host name": works(lambda: socket.sethostname("x")),
    "clock": works(lambda: time.clock_settime(time.CLOCK_REALTIME, time.time())),
    "other user": works(lambda: os.setuid(12345)),
    "priority": works(lambda: os.nice(-5)),
    "process of the host": works(lambda: os.kill(given["pid"], 0)),
}
status = open("/proc/self/status").read()
answer["capabilities"] = any(int(l.split()[1], 16) for l in status.splitlines() if l.startswith("Cap"))
answer["new privileges"] = "NoNewPrivs:\\t1" not in status
answer["visible processes"] = len([name for name in os.listdir("/proc") if name.isdecimal()]) > 4
"""
_CLONE = {"x86_64": 56, "aarch64": 220}


def _escapes(confined: Confined) -> dict[str, Any]:
    shown = confined.room / "shown"
    shown.mkdir()
    given = {"read": str(shown), "pid": os.getpid(), "clone": _CLONE[os.uname().machine]}
    return confined.ask(_ESCAPES, given, read=(shown,))


def test_there_is_no_way_out_through_mounts_namespaces_or_the_first_process(confined: Confined) -> None:
    answer = _escapes(confined)
    assert not any(answer.values()), [what for what, worked in answer.items() if worked]


def test_the_namespaces_hold_without_the_filter_of_system_calls(
    unshared: Confined, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mibench.sandbox.run.filter_program", lambda machine: b"")
    answer = _escapes(unshared)
    assert not any(answer.values()), [what for what, worked in answer.items() if worked]


_REFUSED = """
numbers = given
def refused(name, *arguments):
    result = libc.syscall(ctypes.c_long(numbers[name]), *arguments)
    return result == -1 and ctypes.get_errno() in (1, 38)
answer = {name: not refused(name, 0, 0, 0, 0, 0) for name in numbers}
answer["device by name"] = works(lambda: os.mknod("device", 0o20600, os.makedev(1, 3)))
answer["pipe by name"] = works(lambda: os.mkfifo("pipe"))
"""


def test_calls_that_nothing_needs_are_refused(confined: Confined) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("The numbers are those of x86-64.")
    numbers = {"keyctl": 250, "bpf": 321, "io_uring_setup": 425, "userfaultfd": 323, "perf_event_open": 298}
    numbers |= {"memfd_create": 319, "shmget": 29, "clone3": 435, "fsopen": 430, "open_by_handle_at": 304}
    answer = confined.ask(_REFUSED, numbers)
    assert not any(answer.values()), [what for what, worked in answer.items() if worked]


def test_no_program_that_runs_as_its_owner_stays_behind_and_no_device_changes(confined: Confined) -> None:
    before = Path("/dev/full").stat().st_mode
    program = """
open("a", "w").close()
os.chmod("a", 0o6755)
os.mkdir("folder")
os.chmod("folder", 0)
os.chmod("/dev/full", 0o640)
answer["made"] = works(lambda: os.open("b", os.O_CREAT | os.O_WRONLY, 0o4755))
answer["access list"] = works(lambda: os.setxattr("a", "user.x", b"y"))
"""
    try:
        answer = confined.ask(program)
        assert Path("/dev/full").stat().st_mode == before
    finally:
        if os.getuid() == 0:
            Path("/dev/full").chmod(stat.S_IMODE(before))
    assert not any(answer.values())
    for path in confined.write.rglob("*"):
        assert path.stat().st_mode & 0o6000 == 0
    assert stat.S_IMODE((confined.write / "folder").stat().st_mode) & 0o700 == 0o700


def test_nothing_of_the_environment_is_inherited(confined: Confined, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "word-of-the-parent")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/word-of-the-parent")
    program = "answer['all'] = dict(os.environ); answer['raw'] = open('/proc/self/environ').read()"
    answer = confined.ask(program, environment={"MINE": "1"})
    assert answer["all"]["MINE"] == "1"
    assert "word-of-the-parent" not in str(answer)
    assert set(answer["all"]) <= {
        *("PATH", "HOME", "TMPDIR", "LANG", "LC_CTYPE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"),
        *("OMP_NUM_THREADS", "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED", "PYTHONUNBUFFERED", "MINE"),
    }


def test_standard_input_is_empty_there_is_no_terminal_and_no_other_stream_is_open(confined: Confined) -> None:
    program = """
answer["read"] = sys.stdin.read()
answer["open"] = sorted(int(name) for name in os.listdir("/proc/self/fd"))
answer["terminal"] = works(lambda: open("/dev/tty"))
answer["session"] = os.getsid(0) == os.getpid()
"""
    answer = confined.ask(program)
    # The fourth is the listing itself.
    assert answer == {"read": "", "open": [0, 1, 2, 3], "terminal": False, "session": True}


def test_scratch_folders_are_private_and_gone_after_the_run(confined: Confined) -> None:
    word = uuid.uuid4().hex
    program = """
answer["before"] = [works(lambda: open(f"{folder}/{given}-host").read()) for folder in ("/tmp", "/dev/shm")]
for folder in ("/tmp", "/dev/shm"):
    open(f"{folder}/{given}-run", "w").close()
"""
    ours = [Path(folder, f"{word}-host") for folder in ("/tmp", "/dev/shm") if Path(folder).is_dir()]
    try:
        for path in ours:
            path.touch()
        assert confined.ask(program, word) == {"before": [False, False]}
    finally:
        for path in ours:
            path.unlink()
    assert not Path(f"/tmp/{word}-run").exists()
    assert not Path(f"/dev/shm/{word}-run").exists()


def test_a_symlink_that_leads_outside_reaches_nothing(confined: Confined) -> None:
    secret = confined.room / "secret"
    secret.write_text("word")
    (confined.write / "out").symlink_to(secret)
    program = """
os.symlink(given, "mine")
answer = {name: works(lambda: open(name).read()) for name in ("out", "mine")}
works(lambda: open("mine", "w").write("changed"))
"""
    assert confined.ask(program, str(secret)) == {"out": False, "mine": False}
    assert secret.read_text() == "word"
