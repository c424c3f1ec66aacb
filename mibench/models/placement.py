"""Where the parts of a model compute, and where its weights are in between.

accelerate spreads a model over devices and keeps what does not fit on the CPU or on disk: weights of such modules are
there only while they run. Its hooks move the inputs of every module; whoever reads weights, or joins tensors of
several layers, asks here.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mibench.core.errors import UsageError

if TYPE_CHECKING:
    import torch
    from torch import nn

AUTO = "auto"
WEIGHT_SHARE = 0.6
"""Share of a device's free memory that weights are spread into; the rest is for activations and sums."""


@dataclass(frozen=True)
class Spread:
    """Devices over which accelerate spreads a model.

    Attributes:
        devices: Their names, the one with the lowest number takes the inputs; none: all that there are.
    """

    devices: tuple[str, ...] = ()

    def arguments(self, folder: Any) -> dict[str, Any]:
        """Arguments of ``from_pretrained``; ``folder`` takes weights that neither devices nor the CPU hold."""
        return {"device_map": AUTO, "max_memory": self._limits(), "offload_folder": os.fspath(folder)}

    def _limits(self) -> dict[int | str, int]:
        """Bytes of weights by device index, and of the CPU."""
        from accelerate.utils import get_max_memory

        free = get_max_memory()
        asked = {_index(name) for name in self.devices}
        cards = sorted(place for place in free if isinstance(place, int) and (place in asked or not asked))
        limits: dict[int | str, int] = {place: int(free[place] * WEIGHT_SHARE) for place in cards}
        return limits | {"cpu": int(free.get("cpu", 0))}


def spread_of(device: str) -> Spread | None:
    """How a model is spread, from what a user asks for; None: it lives on the one device of that name.

    Args:
        device: ``auto``, names joined by commas (``cuda:0,cuda:1``), or one name.

    Raises:
        UsageError: A device is named twice, or is not an accelerator with a number; accelerate is missing.
    """
    if device != AUTO and "," not in device:
        return None
    names = () if device == AUTO else tuple(name.strip() for name in device.split(","))
    wrong = [name for name in names if _index(name) is None]
    if wrong or len(set(names)) < len(names):
        raise UsageError(
            f"The devices '{device}' cannot be used together.",
            why=f"'{wrong[0]}' is not an accelerator with its number." if wrong else "One is named twice.",
            do="Write auto, or different ones joined by commas: cuda:0,cuda:1.",
        )
    if importlib.util.find_spec("accelerate") is None:
        raise UsageError(
            "A model cannot be spread over devices here.",
            why="That is done by the package accelerate, which is not installed.",
            do='pip install "mibench[gguf]", or give one device.',
        )
    return Spread(names)


def _index(name: str) -> int | None:
    kind, _, number = name.partition(":")
    return int(number) if kind not in {"", "cpu", "disk", "meta"} and number.isdecimal() else None


def device_problem(device: str) -> UsageError | None:
    """Why a device, or one of several, cannot be used here; None: nothing is known against it.

    Args:
        device: ``auto``, names joined by commas (``cuda:0,cuda:1``), or one name.
    """
    import torch

    try:
        spread = spread_of(device)
    except UsageError as error:
        return error
    for name in (device,) if spread is None else spread.devices:
        try:
            torch.empty(0, device=torch.device(name))
        except (RuntimeError, AssertionError, NotImplementedError) as error:  # torch asserts where built without CUDA
            why = str(error).strip().split("\n")[0]
            do = "Use cpu, or run where the device is."
            return UsageError(f"The device '{name}' cannot be used on this machine.", why=why, do=do)
    return None


def main_device(device: str) -> str:
    """The one device where inputs go: of several that with the lowest number; for ``auto`` the first there is."""
    if device != AUTO:
        names = [name.strip() for name in device.split(",")]
        return min(names, key=lambda name: _index(name) or 0)
    import torch

    return "cuda:0" if torch.cuda.is_available() else "cpu"


def place_of(module: nn.Module) -> torch.device:
    """The device on which a module computes."""
    import torch

    found = getattr(getattr(module, "_hf_hook", None), "execution_device", None)
    return next(module.parameters()).device if found is None else torch.device(found)


def is_offloaded(module: nn.Module) -> bool:
    """Whether some of a module's weights are there only while it runs."""
    return any(parameter.is_meta for parameter in module.parameters())


@contextmanager
def present(module: nn.Module) -> Iterator[None]:
    """While it lasts, a module's own weights are on the device on which it computes; what is read of them stays."""
    if not hasattr(module, "_hf_hook"):
        yield
        return
    from accelerate.utils import align_module_device

    with align_module_device(module):
        yield


def weight_sums(model: nn.Module) -> list[float]:
    """Sum of every parameter and buffer, float64: numbers that change when a weight is changed."""
    import torch

    sums = []
    for module in model.modules():
        with present(module):
            own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
            sums += [float(part.detach().sum(dtype=torch.float64)) for part in own]
    return sums


def as_map(model: Any) -> dict[str, str] | None:
    """Where each part of a spread model is, ``cpu`` and ``disk`` for what is offloaded; None: all on one device."""
    found = getattr(model, "hf_device_map", None)
    if not found or (len(set(map(str, found.values()))) == 1 and not is_offloaded(model)):
        return None
    return {str(name): str(place) for name, place in found.items()}
