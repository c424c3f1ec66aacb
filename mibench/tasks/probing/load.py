"""From settings to labelled sets."""

from __future__ import annotations

from mibench.tasks.probing import sae_probes, shipped
from mibench.tasks.probing.labelled import LabelledSet
from mibench.tasks.probing.settings import ProbingSettings


def load_sets(settings: ProbingSettings) -> tuple[LabelledSet, ...]:
    """Return the sets of a task, each cut to the number of rows that the settings allow.

    Raises:
        UsageError: A set is not known.
        DataError: A file is missing or was changed, or a package is not installed.
    """
    if settings.collection == "shipped":
        names = settings.sets or tuple(shipped.SETS)
        return tuple(shipped.shipped_set(name).first(settings.rows) for name in names)
    names = settings.sets or tuple(sae_probes.names())
    return tuple(sae_probes.sae_probes_set(name).first(settings.rows) for name in names)
