"""Models between cells: loaded once, one at a time."""

from __future__ import annotations

from mibench.core.errors import MibenchError
from mibench.runner.grounds import NO_MODEL
from mibench.runner.settings import RunSettings
from mibench.runner.workbench import NoModel, Workbench


class Benches:
    """Keeps the model in use; another one, or the same loaded in another way, takes its place.

    Args:
        settings: How models are loaded where nothing else is said.
    """

    def __init__(self, settings: RunSettings) -> None:
        self._settings = settings
        self._held: dict[_Loading, Workbench] = {}
        self._failed: dict[_Loading, MibenchError] = {}

    def get(self, model: str, settings: RunSettings | None = None) -> Workbench:
        """The workbench of a model, loaded and checked if it is not the one in use.

        Raises:
            UsageError: Unknown model, dtype, device or attention kernel.
            ModelError: It cannot be loaded, or fails the check.
        """
        chosen = settings or self._settings
        loading = (model, chosen.dtype, chosen.device, chosen.attention)
        if loading in self._failed:
            raise self._failed[loading]
        if loading not in self._held or self._held[loading].spoiled:
            self._held.clear()
            try:
                self._held[loading] = _load(*loading)
            except MibenchError as error:
                self._failed[loading] = error
                raise
        return self._held[loading]


_Loading = tuple[str, str, str, str | None]


def _load(model: str, dtype: str, device: str, attention: str | None) -> Workbench:
    if model == NO_MODEL:
        return NoModel(device)
    return Workbench.load(model, dtype=dtype, device=device, attention=attention)
