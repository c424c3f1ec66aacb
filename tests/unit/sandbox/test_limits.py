"""Limits: what breaks one is ended with all that it started, and the outcome says which."""

from __future__ import annotations

import time
import uuid

import pytest
from confined import MIB, Confined, running, within

from mibench.core.errors import SandboxError
from mibench.sandbox.confine import Confinement
from mibench.sandbox.run import run_confined
from mibench.sandbox.view import interpreter


def test_the_exit_status_is_handed_through(confined: Confined) -> None:
    outcome = confined.run("sys.exit(7)")
    assert (outcome.status, outcome.exit_code) == ("failed", 7)
    killed = confined.run("os.kill(os.getpid(), 9)")
    assert (killed.status, killed.exit_code) == ("failed", -9)
    assert confined.run("").exit_code == 0


def test_a_program_that_is_not_there_fails_and_says_so(unshared: Confined) -> None:
    outcome = run_confined(["no-such-program"], Confinement((), unshared.write, 5.0, MIB * 100, MIB), unshared.backend)
    assert (outcome.status, outcome.exit_code) == ("failed", 127)
    assert "no-such-program" in outcome.tail


def test_a_sleeper_is_ended_in_time(confined: Confined) -> None:
    word = uuid.uuid4().hex
    outcome = confined.run("time.sleep(60)", word, seconds=0.5)
    assert outcome.status == "timeout"
    assert outcome.exit_code is None
    assert 0.5 <= outcome.seconds < 1.5
    assert running(word) == []


def test_a_memory_bomb_is_ended_within_two_seconds(confined: Confined) -> None:
    program = """
kept = []
while True:
    kept.append(bytearray(os.urandom(1) * (4 << 20)))
    if len(kept) == 20:
        open("nearly", "w").write(str(time.time()))
"""
    outcome = confined.run(program, memory_bytes=100 * MIB)
    ended = time.time()
    assert outcome.status == "memory"
    assert ended - float((confined.write / "nearly").read_text()) < 2.0
    assert outcome.peak_bytes > 100 * MIB
    assert "104857600 bytes of memory" in outcome.tail


def test_memory_of_children_counts_together(unshared: Confined) -> None:
    program = """
for _ in range(4):
    if os.fork() == 0:
        kept = bytearray(b"x") * (40 << 20)
        time.sleep(30)
time.sleep(30)
"""
    assert unshared.run(program, memory_bytes=120 * MIB).status == "memory"


def test_pages_that_children_share_count_once(unshared: Confined) -> None:
    program = """
kept = bytearray(b"x") * (60 << 20)
for _ in range(3):
    if os.fork() == 0:
        time.sleep(0.6)
        os._exit(0)
for _ in range(3):
    os.wait()
"""
    outcome = unshared.run(program, memory_bytes=150 * MIB)
    assert outcome.status == "done", outcome


def test_files_in_the_scratch_folders_count_as_memory(confined: Confined) -> None:
    program = """
for folder in ("/tmp", "/dev/shm"):
    with open(folder + "/big", "wb") as file:
        for _ in range(60):
            file.write(bytes(1 << 20))
time.sleep(30)
"""
    outcome = confined.run(program, memory_bytes=100 * MIB, file_bytes=80 * MIB)
    assert outcome.status == "memory", outcome


@pytest.mark.parametrize("start", ["os.fork()", "threading.Thread(target=time.sleep, args=(30,)).start()"])
def test_a_bomb_of_processes_or_threads_is_bounded(confined: Confined, start: str) -> None:
    word = uuid.uuid4().hex
    program = f"""
while True:
    try:
        {start}
    except (OSError, RuntimeError):
        time.sleep(0.01)
"""
    began = time.monotonic()
    outcome = confined.run(program, word, processes=40, seconds=10.0)
    assert outcome.status == "failed"
    assert "more than 40 processes and threads" in outcome.tail
    assert time.monotonic() - began < 5
    assert within(1, lambda: running(word) == [])


def test_one_big_file_is_cut_at_the_limit(confined: Confined) -> None:
    outcome = confined.run("open('big', 'wb').write(bytes(30 << 20))", file_bytes=MIB)
    assert outcome.status == "files"
    assert (confined.write / "big").stat().st_size <= MIB


def test_many_files_count_together(unshared: Confined) -> None:
    program = """
for number in range(1000):
    with open(str(number), "wb") as file:
        file.write(bytes(1 << 19))
    time.sleep(0.01)
"""
    outcome = unshared.run(program, file_bytes=5 * MIB)
    assert outcome.status == "files"
    assert sum(path.stat().st_size for path in unshared.write.iterdir()) < 100 * MIB


def test_files_without_a_name_count_while_they_are_open(unshared: Confined) -> None:
    program = """
kept = []
for number in range(8):
    kept.append(open("hidden", "wb"))
    kept[-1].write(bytes(1 << 20))
    kept[-1].flush()
    os.unlink("hidden")
time.sleep(30)
"""
    assert unshared.run(program, file_bytes=5 * MIB, seconds=10).status == "files"


def test_what_was_there_before_does_not_count(unshared: Confined) -> None:
    (unshared.write / "old").write_bytes(b"x" * 2 * MIB)
    assert unshared.run("", file_bytes=MIB).status == "done"


def test_a_process_that_left_its_parents_is_gone_after_the_run(confined: Confined) -> None:
    word = uuid.uuid4().hex
    program = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open("started", "w").close()
        while True:
            time.sleep(1)
    os._exit(0)
while not os.path.exists("started"):
    time.sleep(0.01)
"""
    outcome = confined.run(program, word)
    assert outcome.status == "done"
    assert outcome.seconds < 5
    assert within(1, lambda: running(word) == [])


def test_the_tail_is_short_printable_and_a_flood_of_it_stops_no_limit(confined: Confined) -> None:
    program = """
while True:
    os.write(2, b"\\x1b[31m\\x07\\xff\\xe2\\x80\\xae" + "é".encode() * 500 + b"\\n")
"""
    outcome = confined.run(program, seconds=0.5)
    assert outcome.status == "timeout"
    assert outcome.seconds < 2
    assert len(outcome.tail.encode()) <= 4096
    assert all(letter.isprintable() or letter in "\n\t" for letter in outcome.tail)
    assert "é" in outcome.tail


def test_standard_output_is_in_the_tail_too_and_cannot_speak_for_the_first_process(unshared: Confined) -> None:
    outcome = unshared.run("print('exit 0'); print('ready'); sys.exit(3)")
    assert outcome.exit_code == 3
    assert "exit 0" in outcome.tail


def test_the_caller_is_told_that_it_runs_and_can_end_it(unshared: Confined) -> None:
    word, beats = uuid.uuid4().hex, []
    command = [interpreter(), "-I", "-S", "-c", f"import time; time.sleep(30)  # {word}"]
    confinement = Confinement((), unshared.write, 20.0, 100 * MIB, MIB)

    def beat() -> None:
        beats.append(time.monotonic())
        if len(beats) == 2:
            raise SandboxError("No more.", why="A test.", do="Nothing.")

    with pytest.raises(SandboxError, match="No more"):
        run_confined(command, confinement, unshared.backend, beat)
    assert 0.9 < beats[1] - beats[0] < 1.6
    assert running(word) == []


def test_a_backend_that_does_not_start_is_no_fault_of_what_was_to_run(unshared: Confined) -> None:
    class Broken:
        name, builds_root, own_system = "broken", False, False

        def absent(self) -> None: ...

        def command_line(self, *_: object) -> list[str]:
            return ["/bin/sh", "-c", "echo no namespaces here >&2; exit 0"]

    unshared.backend = Broken()
    with pytest.raises(SandboxError, match="broken does not start") as caught:
        unshared.run("")
    assert caught.value.why == "no namespaces here"
