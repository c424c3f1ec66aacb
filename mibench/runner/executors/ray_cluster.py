"""How Ray is reached, and what is lost when it loses a worker."""

from __future__ import annotations

import logging
import os
import socket
import time
from typing import Any

from mibench.core.errors import MibenchError, UsageError
from mibench.runner.executors.calls import lost_by
from mibench.runner.executors.executor import Lost
from mibench.runner.executors.options import RayOptions

_HERE, _SECONDS = "local", 10.0
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": "."}
"""Nothing is sent to the makers of Ray, and nothing that its nodes say comes between what mibench prints."""
_WHY = {
    "WorkerCrashedError": "Its worker died.",
    "NodeDiedError": "The node of its worker died.",
    "LocalRayletDiedError": "Ray has died on this machine.",
}


_BYTES = "memory"
_WORDS = {"GPU": "GPUs", "memory": _BYTES}


def connected(options: RayOptions, workers: int) -> tuple[Any, bool, bool]:
    """Connect to Ray.

    Args:
        options: Where it is, if it is not to be started here.
        workers: Workers that one that is started here is to have room for.

    Returns:
        The package, whether it is to be shut down after use, and whether it was started here.

    Raises:
        UsageError: Ray is not installed, or this machine has not what a worker asks for.
        MibenchError: It cannot be reached, or does not start.
    """
    ray = _package()
    if ray.is_initialized() and options.address is None:  # by whoever called
        return ray, False, False
    address = options.address or os.environ.get("RAY_ADDRESS") or _HERE
    own = {"num_cpus": max(1, round(workers * options.num_cpus)), "object_store_memory": options.object_store_memory}
    quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL, "include_dashboard": False}
    if address == _HERE:
        _check_processors(options.num_cpus)
    try:
        if address == _HERE:
            ray.init(address, **own, **quiet)
        else:
            _check_door(address)
            ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL)
    except Exception as error:
        why = " ".join(str(error).split())[:500] or type(error).__name__
        do = "Check it with: ray status --address ADDRESS. Without an address, one is started on this machine."
        raise MibenchError(f"Ray cannot be reached at '{address}'.", why=why, do=do) from error
    if address == _HERE:
        _check_room(ray, options)
    return ray, True, address == _HERE


def _package() -> Any:
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        why, do = "Tasks are handed to it.", "pip install 'mibench[ray]'"
        raise UsageError("Ray is not installed.", why=why, do=do) from error
    return ray


def _check_door(address: str) -> None:
    """Knock, since Ray itself tries for minutes where nobody is."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=_SECONDS).close()


def _check_processors(wanted: float) -> None:
    """A Ray that is started here has as many as it is told; so they are counted before."""
    found = os.cpu_count() or 1
    if wanted > found:
        raise _too_much("processors", wanted, found)


def _check_room(ray: Any, options: RayOptions) -> None:
    """On a cluster a node with more may come yet, and Ray waits for it; here it would wait forever."""
    wanted = {"GPU": options.num_gpus, "memory": options.memory or 0} | (options.resources or {})
    there = ray.cluster_resources()
    for name, number in wanted.items():
        if number > there.get(name, 0):
            ray.shutdown()
            raise _too_much(_WORDS.get(name, f"'{name}'"), number, there.get(name, 0))


def _too_much(what: str, wanted: float, found: float) -> UsageError:
    why = f"A worker asks for {wanted:,.10g}, and this machine has {found:,.10g}."
    do = "Ask for less, or give the address of a cluster."
    return UsageError(
        f"There are not enough {what}." if what != _BYTES else "There is not enough memory.", why=why, do=do
    )


class RayTask:
    """A task of Ray.

    Args:
        ray: The package.
        reference: What stands for its result.
    """

    def __init__(self, ray: Any, reference: Any) -> None:
        self._ray, self._reference = ray, reference
        self._cancelled: float | None = None

    def done(self) -> bool:
        """Whether it has ended; one that was cancelled and does not end by itself is killed."""
        if self._ray.wait([self._reference], timeout=0)[0]:
            return True
        if self._cancelled is not None and time.monotonic() - self._cancelled > _SECONDS:
            self._ray.cancel(self._reference, force=True)
        return False

    def lost(self) -> Lost | None:
        """Why it ended before its end.

        Raises:
            MibenchError: What was called raised it.
        """
        try:
            problem = self._ray.get(self._reference)
        except self._ray.exceptions.OutOfMemoryError:
            return Lost("Ray killed its worker for its memory.", memory=True)
        except self._ray.exceptions.RayError as error:
            if self._cancelled is not None:
                return Lost("It was cancelled.")
            return Lost(_WHY.get(type(error).__name__) or " ".join(str(error).split())[-500:])
        return lost_by(problem)

    def cancel(self) -> None:
        """Take it back, or interrupt it."""
        self._cancelled = time.monotonic()
        self._ray.cancel(self._reference, force=False)
