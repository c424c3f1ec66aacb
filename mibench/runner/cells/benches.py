"""Models between cells: loaded once, one at a time."""

from __future__ import annotations

from mibench.core.errors import MibenchError, ModelError
from mibench.runner.cells.batch_sizes import free_memory, is_of_memory
from mibench.runner.cells.workbench import NoModel, Workbench
from mibench.runner.grounds import NO_MODEL
from mibench.runner.settings import RunSettings


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
            found = _loaded(*loading)
            if isinstance(found, MibenchError):
                self._failed[loading] = found
                raise found
            self._held[loading] = found
        return self._held[loading]


_Loading = tuple[str, str, str, str | None]


def _load(model: str, dtype: str, device: str, attention: str | None) -> Workbench:
    if model == NO_MODEL:
        return NoModel(device)
    return Workbench.load(model, dtype=dtype, device=device, attention=attention)


def _loaded(model: str, dtype: str, device: str, attention: str | None) -> Workbench | MibenchError:
    """The workbench of a model, or why there is none; what a failed load has left is given back."""
    try:
        return _load(model, dtype, device, attention)
    except Exception as error:  # noqa: BLE001 - a model may fail in any way, and the others go on
        if isinstance(error, MibenchError) and not is_of_memory(error):
            return error
        # Not the error itself, whose frames hold what was loaded.
        problem = _problem(error, model, device)
    free_memory()
    return problem


def _problem(error: Exception, model: str, device: str) -> ModelError:
    what = f"The model {model} cannot be loaded on {device}."
    told = error.why if isinstance(error, MibenchError) else str(error).strip().split("\n")[0][:500]
    if is_of_memory(error):
        do = "Use a device with more memory, --device auto, or a narrower --dtype, which gives other cells."
        return ModelError(what, why=f"Memory ran out. {told}".strip(), do=do)
    return ModelError(
        what, why=f"{type(error).__name__}: {told or 'it gave no reason'}", do="Check the model's folder."
    )
