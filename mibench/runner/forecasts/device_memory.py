"""How much memory a device has, free or in all, without starting it where that can be avoided."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Literal

import psutil

_MIB = 1024 * 1024
_SECONDS = 10.0
_FRESH_SECONDS = 3.0
_LIMIT_FILES = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory_for(device: str) -> int | None:
    """Bytes that this process can have on a device: what is free there, and what it holds itself.

    Args:
        device: A device of torch, such as ``cpu`` or ``cuda:1``.

    Returns:
        Bytes; None where it cannot be told.
    """
    return _asked_of(device, _of_machine, _of_card)


def total_memory(device: str) -> int | None:
    """Bytes that a device has in all, whoever holds them now.

    Args:
        device: A device of torch, such as ``cpu`` or ``cuda:1``.

    Returns:
        Bytes; None where it cannot be told.
    """
    return _asked_of(device, _machine_in_all, _card_in_all)


def _asked_of(device: str, machine: Callable[[], int], card: Callable[[int], int | None]) -> int | None:
    kind, _, index = device.partition(":")
    if kind == "cpu":
        return machine()
    if kind == "cuda" and (not index or index.isdecimal()):
        return card(int(index or 0))
    return None


def _of_machine() -> int:
    free = psutil.virtual_memory().available + psutil.Process().memory_info().rss
    return min([free, *_limits()])


def _machine_in_all() -> int:
    return min([psutil.virtual_memory().total, *_limits()])


def _limits() -> list[int]:
    """Limits that a container or a scheduler sets."""
    found = []
    for name in _LIMIT_FILES:
        try:
            text = Path(name).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            continue
        if text.isdecimal() and int(text) > 0:
            found.append(int(text))
    return found


def _of_card(index: int) -> int | None:
    import torch

    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        free, _ = torch.cuda.mem_get_info(index)
        return int(free) + int(torch.cuda.memory_reserved(index))
    found = _of_driver(index, "free")
    if found is not None or not torch.cuda.is_available():
        return found
    return int(torch.cuda.mem_get_info(index)[0])


def _card_in_all(index: int) -> int | None:
    import torch

    found = None if torch.cuda.is_initialized() else _of_driver(index, "total")  # type: ignore[no-untyped-call]
    if found is not None or not torch.cuda.is_available():
        return found
    return int(torch.cuda.mem_get_info(index)[1])


def _of_driver(index: int, what: Literal["free", "total"]) -> int | None:
    """Memory as the driver's own tool tells it, which starts nothing on the card."""
    visible = [one.strip() for one in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if one.strip()]
    if visible and index >= len(visible):
        return None
    card = visible[index] if visible else str(index)
    return _asked(card, what, int(time.monotonic() / _FRESH_SECONDS))


@lru_cache(maxsize=64)
def _asked(card: str, what: str, moment: int) -> int | None:  # noqa: ARG001  what is free changes
    command = ["nvidia-smi", f"--query-gpu=memory.{what}", "--format=csv,noheader,nounits", f"--id={card}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    text = done.stdout.strip()
    return int(text) * _MIB if done.returncode == 0 and text.isdecimal() else None
