"""How much memory tensors take: on devices with memory of their own, and by counting them."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def start_peak(devices: Iterable[torch.device]) -> None:
    """Forget the highest use so far of devices with memory of their own."""
    for device, module in _own_memory(devices):
        module.reset_peak_memory_stats(device)


def device_peak(devices: Iterable[torch.device]) -> int | None:
    """Bytes that tensors took at most on the fullest of ``devices`` since ``start_peak``.

    Returns:
        None where no device has memory of its own: what counts there is that of the process.
    """
    return max((int(module.max_memory_allocated(device)) for device, module in _own_memory(devices)), default=None)


def _own_memory(devices: Iterable[torch.device]) -> list[tuple[torch.device, Any]]:
    """Those of ``devices``, each once, whose memory torch keeps count of, with torch's module for them."""
    found = [(device, torch.get_device_module(device)) for device in dict.fromkeys(devices)]
    return [(device, module) for device, module in found if hasattr(module, "max_memory_allocated")]


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of tensors that operations of the block make, as long as they live.

    Views count once. It works as well on tensors without numbers (``FakeTensorMode``), which is how memory of a shape
    is measured where there is no device of that size. Memory inside kernels, and what an allocator loses to rounding
    and gaps, is not seen.

    Attributes:
        now: Bytes that live.
        peak: The most that lived at any time.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._live: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count what it made."""
        found = func(*args, **(kwargs or {}))
        self.count(tree_leaves(found))
        return found

    def count(self, values: Iterable[Any]) -> None:
        """Count tensors made outside the block, such as weights."""
        for value in values:
            if isinstance(value, Tensor):
                self._add(value.untyped_storage())

    def _add(self, storage: Any) -> None:
        key = storage._cdata  # noqa: SLF001
        if key not in self._live:
            self._live[key] = storage.nbytes()
            self.now += self._live[key]
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._drop, key)

    def _drop(self, key: int) -> None:
        self.now -= self._live.pop(key)
