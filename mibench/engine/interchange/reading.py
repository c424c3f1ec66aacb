"""Reading activations out of a plain pass of the transformers model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from torch import Tensor, nn

from mibench.core.sites import Component, Site
from mibench.engine.model import LanguageModel


class Stage(IntEnum):
    """Where in a layer, in the order of the network."""

    STREAM = 0
    """The residual stream before the block."""
    HEADS = 1
    """All heads' outputs before the output projection."""
    MLP = 2
    """What the MLP adds to the residual stream."""


@dataclass(frozen=True, order=True)
class Place:
    """A tensor of the network; the stream of layer ``n_layers`` is the one that the logits read."""

    layer: int
    stage: Stage

    @classmethod
    def of(cls, site: Site) -> Place:
        """Where a site is: the stream after a block is that before the next."""
        if site.component is Component.RESIDUAL_POST:
            return cls(site.layer + 1, Stage.STREAM)
        stages = {Component.RESIDUAL_PRE: Stage.STREAM, Component.HEAD: Stage.HEADS, Component.MLP: Stage.MLP}
        return cls(site.layer, stages[site.component])


Reader = Callable[[Tensor], None]


@contextmanager
def reading(model: LanguageModel, readers: Iterable[tuple[Place, Reader]]) -> Iterator[None]:
    """While it lasts, passes of the model hand each place's tensor, ``[batch, pos, width]``, to its reader."""
    with ExitStack() as stack:
        for place, reader in readers:
            stack.callback(_hook(model, place, reader))
        yield


def _hook(model: LanguageModel, place: Place, reader: Reader) -> Callable[[], None]:
    anatomy = model.anatomy
    if place.layer == anatomy.n_layers:
        return _before(anatomy.final_norm, reader)
    block = anatomy.blocks[place.layer]
    if place.stage is Stage.STREAM:
        return _before(block.norm1, reader)
    return _before(block.out, reader) if place.stage is Stage.HEADS else _after(block.mlp_end, reader)


def _before(module: nn.Module, reader: Reader) -> Callable[[], None]:
    def hook(_: nn.Module, args: tuple[Any, ...]) -> None:
        reader(args[0])

    return module.register_forward_pre_hook(hook).remove


def _after(module: nn.Module, reader: Reader) -> Callable[[], None]:
    def hook(_: nn.Module, __: Any, output: Tensor) -> None:
        reader(output)

    return module.register_forward_hook(hook).remove
