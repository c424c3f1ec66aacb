"""Devices that are none: tensors that carry a device's name, and operations that refuse to mix two.

Numbers are computed on the CPU and are real. What is refused is what CUDA refuses: operands on different devices,
save for single numbers on the CPU, copies, and indices on the CPU. Names are ``meta:0`` and ``meta:1``, since torch
knows no other device with a number that needs no driver.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

FIRST, SECOND = torch.device("meta", 0), torch.device("meta", 1)
_CPU = torch.device("cpu")
_COPIES = {"aten._to_copy", "aten.copy_", "aten._copy_from", "aten.copy"}
_INDEXED = {"aten.index", "aten.index_put", "aten.index_put_", "aten._unsafe_index", "aten._index_put_impl_"}


class MixedDevicesError(RuntimeError):
    """Two devices in one operation."""


class Elsewhere(Tensor):
    """A tensor that says that it is on a pretended device."""

    held: Tensor

    @staticmethod
    def __new__(cls, real: Tensor, place: torch.device) -> Any:
        made = Tensor._make_wrapper_subclass(
            cls,
            real.shape,
            strides=real.stride(),
            storage_offset=real.storage_offset(),
            dtype=real.dtype,
            device=place,
            requires_grad=False,
        )
        made.held = real
        return made

    def __init__(self, real: Tensor, place: torch.device) -> None:
        super().__init__()

    def __repr__(self, *_: Any, **__: Any) -> str:
        return f"Elsewhere({self.held}, {self.device})"

    def __getitem__(self, index: Any) -> Any:
        # torch would put a list on the device of the tensor, and gives no numbers to one called meta.
        return super().__getitem__(torch.tensor(index) if isinstance(index, list) else index)

    def tolist(self) -> Any:
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    name, flat = str(func.overloadpacket), tree_flatten((args, kwargs))[0]
    asked = kwargs.get("device")
    places = [each.device for each in flat if isinstance(each, Elsewhere)]
    place = _place(name, flat, places) if asked is None else torch.device(asked)
    if name in _COPIES and asked is None:
        place = args[0].device
    if asked is not None and kwargs["device"] is not None:
        kwargs = kwargs | {"device": _CPU}
    found = func(*tree_map(_real, args), **tree_map(_real, kwargs))
    return _wrapped(func, found, place, args, kwargs)


def _place(name: str, flat: list[Any], places: list[torch.device]) -> torch.device:
    """Where an operation runs."""
    if name in _COPIES or not places:
        return places[0] if places else _CPU
    # A single number may come from the CPU, and so may indices and masks.
    others = [
        each
        for each in flat
        if isinstance(each, Tensor) and not isinstance(each, Elsewhere) and each.ndim > 0 and name not in _INDEXED
    ]
    if len(set(places)) > 1 or others:
        found = [*map(str, places), *("cpu" for _ in others)]
        raise MixedDevicesError(f"{name} of tensors on {', '.join(found)}")
    return places[0]


def _real(value: Any) -> Any:
    return value.held if isinstance(value, Elsewhere) else value


def _wrapped(func: Any, found: Any, place: torch.device, args: Any, kwargs: Any) -> Any:
    """Results with their place; an operation in place gives back the very tensor that it was given."""
    given = {id(_real(each)): each for each in tree_flatten((args, kwargs))[0] if isinstance(each, Tensor)}

    def wrap(value: Any) -> Any:
        if not isinstance(value, Tensor) or isinstance(value, Elsewhere):
            return value
        if id(value) in given:
            return given[id(value)]
        return Elsewhere(value, place) if place.type == "meta" else value

    leaves, shape = tree_flatten(found)
    return tree_unflatten([wrap(each) for each in leaves], shape)


def _from_data(make: Any) -> Any:
    """``torch.tensor`` and ``torch.as_tensor``, which give no numbers to a device called meta."""

    def made(data: Any, **options: Any) -> Tensor:
        device = options.pop("device", None)
        found: Tensor = make(data, **options)
        return found if device is None else found.to(device)

    return made


class Pretending(TorchDispatchMode):
    """Makes new tensors on pretended devices."""

    def __enter__(self) -> Any:
        self._makers = torch.tensor, torch.as_tensor
        torch.tensor, torch.as_tensor = map(_from_data, self._makers)
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        torch.tensor, torch.as_tensor = self._makers
        super().__exit__(*error)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


@contextmanager
def over_two(hf: Any, parts: dict[str, torch.device]) -> Iterator[Any]:
    """A model whose modules are spread over pretended devices by accelerate's hooks.

    Args:
        hf: The model.
        parts: Devices by module.
    """
    from accelerate.hooks import AlignDevicesHook, add_hook_to_module

    class Aligned(AlignDevicesHook):  # weights are put by hand below
        def init_hook(self, module: nn.Module) -> nn.Module:
            return module

    with Pretending():
        for name, place in parts.items():
            whole = hf.get_submodule(name)
            for module in whole.modules():
                _move(module, place)
                hook = Aligned(place, skip_keys=hf._skip_keys_device_placement)
                add_hook_to_module(module, hook)
        yield hf


def _move(module: nn.Module, place: torch.device) -> None:
    for name, parameter in list(module.named_parameters(recurse=False)):
        module._parameters[name] = nn.Parameter(Elsewhere(parameter.detach(), place), requires_grad=False)
    for name, buffer in list(module.named_buffers(recurse=False)):
        module._buffers[name] = Elsewhere(buffer, place)
