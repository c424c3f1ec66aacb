"""A Slurm that pretends: sbatch, srun, sacct and scancel for one machine, which do what submitit asks them to.

Each is this file under another name. What jobs come to is in the folder ``PRETENDED_SLURM``; a job that is killed ends
in the state ``PRETENDED_END``.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = ("sbatch", "srun", "sacct", "scancel")
FOLDER, END, REFUSED = "PRETENDED_SLURM", "PRETENDED_END", "nowhere"


def install(monkeypatch, folder, end="FAILED"):
    """Put the commands into PATH; return the folder of jobs, with the files that were submitted."""
    from submitit import SlurmJob

    SlurmJob.watcher.clear()  # it remembers how jobs of the same numbers ended in another test
    (folder / "bin").mkdir()
    for name in COMMANDS:
        script = folder / "bin" / name
        script.write_text(f"#!{sys.executable}\nimport runpy\nrunpy.run_path({__file__!r}, run_name='{name}')\n")
        script.chmod(0o755)
    jobs = folder / "jobs"
    jobs.mkdir()
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv(FOLDER, str(jobs))
    monkeypatch.setenv(END, end)
    return jobs


def _sbatch(words):
    script, folder = Path(words[0]), Path(os.environ[FOLDER])
    text = script.read_text(encoding="utf-8")
    if f"--partition={REFUSED}" in text:
        sys.stderr.write(f"sbatch: error: invalid partition specified: {REFUSED}\n")
        sys.exit(1)
    number = 100 + len(list(folder.glob("*.sh")))
    (folder / f"{number}.sh").write_text(text, encoding="utf-8")
    array = re.search(r"--array=0-(\d+)%(\d+)", text)
    names = [f"{number}_{place}" for place in range(int(array[1]) + 1)] if array else [str(number)]
    for name in names:
        (folder / name).write_text("PENDING", encoding="ascii")
    if os.fork() == 0:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        _manage(folder, folder / f"{number}.sh", names, int(array[2]) if array else 1)
        os._exit(0)
    sys.stdout.write(f"Submitted batch job {number}\n")


def _manage(folder, script, names, most):
    """Run the jobs of an array, so many at once."""
    waiting, running = list(names), {}
    while waiting or running:
        for name, process in list(running.items()):
            code = process.poll()
            if code is not None:
                del running[name]
                if (folder / name).read_text(encoding="ascii") == "RUNNING":
                    (folder / name).write_text(os.environ[END] if code else "COMPLETED", encoding="ascii")
        while waiting and len(running) < most:
            name = waiting.pop(0)
            if (folder / name).read_text(encoding="ascii") == "PENDING":
                running[name] = _started(folder, script, name)
        time.sleep(0.02)


def _started(folder, script, name):
    main, _, place = name.partition("_")
    own = {"SLURM_JOB_ID": main, "SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
    if place:
        own |= {"SLURM_ARRAY_JOB_ID": main, "SLURM_ARRAY_TASK_ID": place}
    process = subprocess.Popen(["bash", str(script)], env=os.environ | own, start_new_session=True)
    (folder / f"{name}.pid").write_text(str(process.pid), encoding="ascii")
    (folder / name).write_text("RUNNING", encoding="ascii")
    return process


def _srun(words):
    main, place = os.environ["SLURM_JOB_ID"], os.environ.get("SLURM_ARRAY_TASK_ID", "")
    job = f"{main}_{place}" if place else main
    files = {}
    while words[0].startswith("--"):
        flag = words.pop(0)
        if flag in {"--output", "--error"}:
            path = words.pop(0).replace("%A_%a", job).replace("%j", job).replace("%t", "0")
            files[flag] = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.dup2(files["--output"], 1)
    os.dup2(files["--error"], 2)
    os.execvp(words[0], words)


def _sacct(words):
    asked = set(words[words.index("--parsable2") + 1 :]) - {"-j"}
    lines = ["JobID|State|NodeList"]
    for path in sorted(Path(os.environ[FOLDER]).iterdir()):
        if not path.suffix and path.name.partition("_")[0] in asked:
            lines.append(f"{path.name}|{path.read_text(encoding='ascii')}|here")
    sys.stdout.write("\n".join(lines) + "\n")


def _scancel(words):
    path = Path(os.environ[FOLDER]) / words[0]
    path.write_text("CANCELLED by 0", encoding="ascii")
    pid = path.with_name(f"{path.name}.pid")
    if pid.exists():
        os.killpg(int(pid.read_text(encoding="ascii")), signal.SIGTERM)


if __name__ in COMMANDS:
    {"sbatch": _sbatch, "srun": _srun, "sacct": _sacct, "scancel": _scancel}[__name__](sys.argv[1:])
