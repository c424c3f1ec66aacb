"""The checks of ``mibench doctor``."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from mibench.core.errors import MibenchError

Status = Literal["ok", "warning", "broken"]

DEFAULT_MODEL = "smollm2-135m"
_GIB = 2**30
_MEMORY_NEEDED = 3 * _GIB
"""What a run on the default model takes at its usual batch size, with room."""
_DISK_NEEDED = 3 * _GIB // 2
_CGROUP = Path("/sys/fs/cgroup")
_REINSTALL = "pip install --force-reinstall --no-deps mibench"
_OTHER_CACHE = "export MIBENCH_CACHE=/path/with/space"


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes:
        name: What was looked at.
        status: ``broken``: mibench does not work without it.
        found: What was found.
        fix: The command that mends it; empty where nothing is wrong.
    """

    name: str
    status: Status
    found: str
    fix: str = ""


def check_machine() -> list[Check]:
    """Return the findings about this machine."""
    checks = [check_python(), *check_packages(), *check_torch(), check_optional(), check_memory()]
    return [*checks, *check_cache(), check_offline(), check_default_model(), check_data()]


def check_python() -> Check:
    """Python itself."""
    if sys.version_info < (3, 11):  # noqa: UP036  the package may lie on a path of an older Python
        return Check("python", "broken", platform.python_version(), "uv venv --python 3.12")
    return Check("python", "ok", f"{platform.python_version()}, {platform.platform(terse=True)}")


def check_packages() -> Iterator[Check]:
    """The packages that mibench requires, in versions that it accepts."""
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(line) for line in metadata.requires("mibench") or ()]
    except metadata.PackageNotFoundError:
        yield Check("packages", "warning", "mibench is not installed, only on the path", "pip install -e .")
        return
    needed = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    wrong = [(one, have) for one in needed for have in [_version(one.name)] if not have or have not in one.specifier]
    for one, have in wrong:
        found = f"version {have}" if have else "not installed"
        yield Check(one.name, "broken", f"{found}; {one} is needed", f"pip install {shlex.quote(str(one))}")
    if not wrong:
        yield Check("packages", "ok", f"mibench {_version('mibench')} and the {len(needed)} it requires")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def check_torch() -> Iterator[Check]:
    """Torch, its accelerator and its threads."""
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Check("torch", "broken", f"cannot be imported: {error}", "pip install --force-reinstall torch")
        return
    devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    if devices:
        yield Check("torch", "ok", f"{torch.__version__}, CUDA {torch.version.cuda}: {', '.join(devices)}")
    elif shutil.which("nvidia-smi"):
        found = f"{torch.__version__} does not see this machine's GPU"
        yield Check("torch", "warning", found, "pip install --force-reinstall torch")
    else:
        yield Check("torch", "ok", f"{torch.__version__}, on the CPU")
    yield check_threads(torch.get_num_threads(), _usable_cores())


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_threads(threads: int, cores: int) -> Check:
    """Threads of one operation: more than there are cores slow each other down."""
    found = f"{threads} on {cores} usable cores"
    if threads > cores:
        return Check("threads", "warning", found, f"export OMP_NUM_THREADS={cores}")
    return Check("threads", "ok", found)


def check_optional() -> Check:
    """The packages that convert the default model."""
    missing = [name for name in ("gguf", "accelerate") if find_spec(name) is None]
    if not missing:
        return Check("optional packages", "ok", "gguf and accelerate, to convert GGUF models")
    found = f"{' and '.join(missing)} not installed: {DEFAULT_MODEL} cannot be converted"
    return Check("optional packages", "warning", found, "pip install 'mibench[gguf]'")


def check_memory() -> Check:
    """Memory that is free, within the limit of a container."""
    import psutil

    free = min([psutil.virtual_memory().available, *_container_memory()])
    found = f"{free / _GIB:.1f} GiB free"
    if free < _MEMORY_NEEDED:
        fix = f"mibench run --batch-size 1 …    (or free {_MEMORY_NEEDED / _GIB:.0f} GiB)"
        return Check("memory", "warning", found, fix)
    return Check("memory", "ok", found)


def _container_memory() -> Iterator[int]:
    try:
        limit, used = ((_CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return
    if limit.isdigit() and used.isdigit():
        yield max(int(limit) - int(used), 0)


def check_cache() -> Iterator[Check]:
    """The cache folder: writable, and on a disk with space."""
    from mibench.models.cache import cache_root

    root = cache_root()
    place = next((folder for folder in (root, *root.absolute().parents) if folder.exists()), Path("/"))
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        yield Check("cache", "broken", f"{root} cannot be written: {error.strerror}", _OTHER_CACHE)
        return
    yield Check("cache", "ok", f"{root} is writable")
    free = shutil.disk_usage(place).free
    found = f"{free / _GIB:.1f} GiB free for the cache"
    enough = free >= _DISK_NEEDED
    yield Check("disk", "ok", found) if enough else Check("disk", "warning", found, _OTHER_CACHE)


def check_offline() -> Check:
    """Whether the hub client is forbidden to fetch; that is a choice, not a fault."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        return Check("hub", "ok", "HF_HUB_OFFLINE is set: only what is on this machine is used")
    return Check("hub", "ok", "may be asked (HF_HUB_OFFLINE is not set)")


def check_default_model() -> Check:
    """The default model: converted, and unchanged since."""
    from mibench.models.cache import converted_folder
    from mibench.models.catalogue import CATALOGUE
    from mibench.models.convert import read_manifest
    from mibench.models.digest import folder_digest

    spec = CATALOGUE[DEFAULT_MODEL]
    folder = converted_folder(spec)
    pull = f"mibench models pull {DEFAULT_MODEL}"
    manifest = read_manifest(folder, spec)
    if manifest is None:
        return Check(DEFAULT_MODEL, "warning", "not on this machine", pull)
    try:
        whole = folder_digest(folder) == manifest["folder_digest"]
    except (MibenchError, OSError):
        whole = False
    if not whole:
        again = f"rm -r {shlex.quote(str(folder))} && {pull}"
        return Check(DEFAULT_MODEL, "broken", f"{folder} has changed since it was converted", again)
    return Check(DEFAULT_MODEL, "ok", f"{spec.note}, in {folder}")


def check_data() -> Check:
    """The shipped data, against its digests."""
    from mibench.core.shipped import DIGESTS_FILE, checked_file, shipped_digests
    from mibench.tasks.shipped import data_folder

    try:
        folders = [path.parent for path in sorted(data_folder("ioi").parent.glob(f"*/{DIGESTS_FILE}"))]
        files = [(folder, name) for folder in folders for name in sorted(shipped_digests(folder))]
        for folder, name in files:
            checked_file(folder, name)
    except MibenchError as error:
        return Check("data", "broken", f"{error.what} {error.why}", _REINSTALL)
    return Check("data", "ok", f"{len(files)} files of {len(folders)} folders fit their digests")


def check_model(ref: str) -> Check:
    """A model: it loads, and the engine computes on it what the model computes."""
    from mibench.engine.model import LanguageModel
    from mibench.engine.selfcheck import self_check
    from mibench.models.load import load_hf

    try:
        loaded = load_hf(ref)
        self_check(LanguageModel(loaded.model))
    except MibenchError as error:
        return Check(f"model {ref}", "broken", f"{error.what} {error.why}", error.do)
    return Check(f"model {ref}", "ok", f"loads, and passes the self-check{'; ' + loaded.note if loaded.note else ''}")
