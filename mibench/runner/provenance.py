"""Where and how a record is made: code, packages, machine, and the flags that decide over bits."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import mibench
from mibench.models.placement import main_device
from mibench.records.record import Provenance

ENVIRONMENT_FLAGS = ("CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE", "PYTHONHASHSEED")
NUMERIC_PACKAGES = ("accelerate", "gguf", "numpy", "pandas", "pyarrow", "scipy", "torch", "transformers")
"""Packages whose versions are recorded even where mibench runs from a checkout that is not installed."""

_URL_CREDENTIALS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^/\s]*@")
_URL_SECRET = re.compile(r"(?P<key>[?&][^=&\s]*(?:token|key|secret|password|auth)[^=&\s]*=)[^&\s]+", re.IGNORECASE)
_ELSEWHERE = re.compile(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]*://|[^/\s:]{2,}:(?!//)")
_SECRET_FLAG = re.compile(
    r"(?P<flag>-{0,2}(?:[\w-]*[-_])?(?:token|api[-_]?key|secret|password))(?P<value>=.*)?", re.IGNORECASE
)
_KNOWN_TOKEN = re.compile(r"\b(?:hf_|gh[pousr]_|github_pat_|glpat-|sk-)[A-Za-z0-9_-]{10,}")


@dataclass(frozen=True)
class Setting:
    """How the runner was set up.

    Attributes:
        device: Device the model runs on.
        batch_size: Examples a batch, at most.
        batch_tokens: Tokens a batch, at most.
        padded: Whether a batch held several lengths, padded.
        executor: Name of the executor.
        attempt: Which try it is, after workers were lost.
        tolerance: Relative difference within which the setting may move a number.
    """

    device: str = "cpu"
    batch_size: int | None = None
    batch_tokens: int | None = None
    padded: bool | None = None
    executor: str = "serial"
    attempt: int = 1
    tolerance: float | None = None


def collect(setting: Setting | None = None, *, command: Sequence[str] | None = None) -> Provenance:
    """Return the provenance of a record made now.

    Torch is asked only if something has imported it already.

    Args:
        setting: How the runner was set up.
        command: The command line; that of this process if None.
    """
    setting = setting or Setting()
    return Provenance(
        mibench=mibench.__version__,
        **_own_state(),
        python=platform.python_version(),
        platform=platform.platform(),
        packages=_own_packages(),
        device=setting.device,
        device_name=_device_name(setting.device),
        cpu=_cpu_name(),
        threads=_threads(),
        batch_size=setting.batch_size,
        batch_tokens=setting.batch_tokens,
        padded=setting.padded,
        executor=setting.executor,
        attempt=setting.attempt,
        determinism=_determinism(),
        command=redact(sys.argv if command is None else command),
        created_at=datetime.now(UTC),
        tolerance=setting.tolerance,
    )


def redact(words: Sequence[str]) -> list[str]:
    """Return a command line without credentials in URLs, values of secret flags and known kinds of token."""
    clean: list[str] = []
    hide_next = False
    for word in words:
        flag = _SECRET_FLAG.fullmatch(word)
        if hide_next and not word.startswith("-"):
            clean.append("***")
        elif flag and flag["value"]:
            clean.append(f"{flag['flag']}=***")
        else:
            clean.append(redact_text(word))
        hide_next = bool(flag and word.startswith("-") and not flag["value"])
    return clean


def redact_text(text: str) -> str:
    """Return ``text`` without credentials in URLs and known kinds of token."""
    text = _URL_CREDENTIALS.sub(r"\g<scheme>", text)
    return _KNOWN_TOKEN.sub("***", _URL_SECRET.sub(r"\g<key>***", text))


def git_state(folder: Path) -> dict[str, Any]:
    """Return ``git_commit``, ``git_dirty`` and ``git_remote`` of the working tree that tracks ``folder``.

    All are None where git does not track the folder's files: a package installed into an environment that
    lies inside somebody's repository is not part of it.
    """
    tracked = _git(folder, "ls-files", "--", "__init__.py")
    commit = _git(folder, "rev-parse", "HEAD") if tracked else None
    if not commit:
        return {"git_commit": None, "git_dirty": None, "git_remote": None}
    status = _git(folder, "status", "--porcelain", "--untracked-files=no")
    remote = _git(folder, "config", "--get", "remote.origin.url")
    return {
        "git_commit": commit,
        "git_dirty": None if status is None else bool(status),
        # A folder of this machine says nothing to a stranger.
        "git_remote": redact_text(remote) if remote and _ELSEWHERE.match(remote) else None,
    }


@cache
def _own_state() -> dict[str, Any]:
    """State of the tree that this process runs from, when it first asked: what it has imported stays as it was."""
    return git_state(Path(mibench.__file__).parent)


@cache
def _own_packages() -> dict[str, str]:
    """Versions of packages, likewise."""
    return package_versions()


def package_versions() -> dict[str, str]:
    """Return the installed versions of the packages that mibench depends on."""
    versions = {}
    for name in sorted({*_requirements(), *NUMERIC_PACKAGES}):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _requirements() -> list[str]:
    try:
        lines = metadata.requires("mibench") or []
    except metadata.PackageNotFoundError:
        return []
    names = (re.match(r"[A-Za-z0-9._-]+", line) for line in lines if "extra ==" not in line)
    return [name.group().lower() for name in names if name]


def _git(folder: Path, *words: str) -> str | None:
    """Return what git prints, or None if there is no git, no repository, or no answer."""
    git = shutil.which("git")
    if git is None:
        return None
    # Inside a hook, GIT_DIR and its like point at the repository of the hook.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    try:
        done = subprocess.run(
            [git, "-C", str(folder), *words],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
            env=environment,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout.strip()


def _cpu_name() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or None


def _torch() -> Any:
    return sys.modules.get("torch")


def _threads() -> int | None:
    torch = _torch()
    if torch is not None:
        return int(torch.get_num_threads())
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) > 0 else os.cpu_count()


def _device_name(device: str) -> str | None:
    torch, main = _torch(), main_device(device)
    if torch is None or not main.startswith("cuda") or not torch.cuda.is_available():
        return None
    return str(torch.cuda.get_device_name(main))


def _determinism() -> dict[str, bool | str]:
    flags: dict[str, bool | str] = {name: os.environ[name] for name in ENVIRONMENT_FLAGS if name in os.environ}
    torch = _torch()
    if torch is not None:
        flags["deterministic_algorithms"] = bool(torch.are_deterministic_algorithms_enabled())
        flags["cudnn_benchmark"] = bool(torch.backends.cudnn.benchmark)
        flags["cudnn_deterministic"] = bool(torch.backends.cudnn.deterministic)
        flags["matmul_precision"] = str(torch.get_float32_matmul_precision())
        flags["cpu_capability"] = str(torch.backends.cpu.get_cpu_capability())
    return flags
