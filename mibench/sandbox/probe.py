"""Tries a back-end out: a tiny confined program attempts what must not work, and what must."""

from __future__ import annotations

import json
import secrets
import socket
import tempfile
from pathlib import Path

from mibench.core.errors import MibenchError
from mibench.sandbox.confine import Backend, Confinement
from mibench.sandbox.run import run_confined
from mibench.sandbox.view import interpreter

_SECONDS = 30.0
_MEMORY = 256 * 1024 * 1024
_FILES = 1024 * 1024
_MOST_PROCESSES = 4
# Runs inside with the standard library only; each line of the answer is (what must be, whether it is).
_PROGRAM = """
import json, os, socket, sys
port, secret, outside, shown = json.loads(sys.argv[1])
def works(action):
    try:
        return action() is not False
    except OSError:
        return False
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines() if ":" in line)
processes = [name for name in os.listdir("/proc") if name.isdecimal()]
answer = {
    "no connection to this machine": not works(lambda: socket.create_connection(("127.0.0.1", port), 2)),
    "no connection elsewhere": not works(lambda: socket.create_connection(("192.0.2.1", 9), 2)),
    "no file that is not named can be read": not works(lambda: open(secret).read()),
    "no file can be written that is only to be read": not works(lambda: open(shown, "a").write("x")),
    "only its own processes are seen": len(processes) <= MOST and os.getpid() <= MOST,
    "no capability is left": int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0,
    "no new privileges": status["NoNewPrivs"].strip() == "1",
    "no variable is inherited": "MIBENCH_PROBE" not in os.environ,
}
made = os.open("made", os.O_CREAT | os.O_WRONLY, 0o600)
works(lambda: os.chmod("made", 0o4700))
answer["no mode is changed"] = os.fstat(made).st_mode & 0o7777 == 0o600
works(lambda: open(outside, "w").write("x"))
with open("answer.json", "w") as file:
    json.dump(answer, file)
"""


def fault_of(backend: Backend) -> str | None:
    """Return why ``backend`` cannot be used here, or nothing if it holds."""
    absent = backend.absent()
    if absent is not None:
        return absent
    with tempfile.TemporaryDirectory(prefix="mibench-probe-") as folder, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        try:
            return _try(backend, Path(folder), listener)
        except (MibenchError, OSError) as error:
            return getattr(error, "why", str(error))


def _try(backend: Backend, folder: Path, listener: socket.socket) -> str | None:
    write, secret, outside, shown = (folder / name for name in ("write", "secret", "outside", "shown"))
    write.mkdir()
    word = secrets.token_hex(8)
    secret.write_text(word, encoding="ascii")
    shown.write_text(word, encoding="ascii")
    confinement = Confinement((shown,), write, _SECONDS, _MEMORY, _FILES)
    said = json.dumps([listener.getsockname()[1], str(secret), str(outside), str(shown)])
    program = _PROGRAM.replace("MOST", str(_MOST_PROCESSES))
    outcome = run_confined([interpreter(), "-I", "-S", "-c", program, said], confinement, backend)
    if outcome.status != "done":
        return f"A small program ended as {outcome.status}: {outcome.tail.strip()[-300:]}"
    try:
        answer = json.loads((write / "answer.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "What was written in the folder for writing is not there."
    broken = [what for what, holds in answer.items() if not holds]
    if outside.exists() or shown.read_text(encoding="ascii") != word:
        broken.append("no file is written outside")
    if _was_reached(listener):
        broken.append("no connection to this machine")
    return f"It does not hold: {', '.join(broken)}." if broken else None


def _was_reached(listener: socket.socket) -> bool:
    listener.setblocking(False)  # noqa: FBT003
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True
