"""What every worker does with an order; models stay loaded from one order to the next."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mibench.runner.cells.benches import Benches
from mibench.runner.driving.workplace import Workplace
from mibench.runner.executors.executor import Order
from mibench.runner.observe import Observer
from mibench.runner.plan import plan_cells
from mibench.runner.settings import RunSettings, run_settings

_OPEN: dict[str, Workplace] = {}
_DEVICE: list[str] = []


def do(order: Order, observer: Observer | None = None) -> None:
    """Come to each job of an order, and write events of it; ends early where the driver of the run is gone.

    Args:
        order: What to do.
        observer: Told of it too.

    Raises:
        MibenchError: Nothing can be done, for a reason that holds for all jobs: records cannot be read or written, or
            the settings mean nothing here. An executor hands it to the driver from ``Task.lost``, where it can.
    """
    _place(order.settings).do(order, observer)


def settings_text(settings: RunSettings) -> str:
    """The settings of a run as an order carries them, with the folder that its relative paths are in."""
    told = settings.model_dump(mode="json", exclude_unset=True)
    return json.dumps({"folder": str(Path.cwd()), "settings": told}, ensure_ascii=False)


def settings_of(text: str) -> RunSettings:
    """The settings that an order carries.

    Raises:
        UsageError: They mean nothing here.
    """
    return run_settings(json.loads(text)["settings"])


@contextmanager
def in_this_process(text: str, place: Workplace) -> Iterator[None]:
    """While it lasts, orders of these settings that are done in this process share the plan and models of ``place``."""
    _OPEN[text] = place
    try:
        yield
    finally:
        del _OPEN[text]


def use_device(device: str | None) -> None:
    """Have this process use a device of torch for all jobs; None: that of their settings."""
    _DEVICE[:] = [] if device is None else [device]


def _place(text: str) -> Workplace:
    if text not in _OPEN:
        _OPEN.clear()
        os.chdir(json.loads(text)["folder"])
        settings = settings_of(text)
        device = _DEVICE[0] if _DEVICE else None
        _OPEN[text] = Workplace(settings, plan_cells(settings), Benches(settings), device, expendable=True)
    return _OPEN[text]
