"""How many latents of one dictionary come back in another: files, or one method from several seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.artifacts.dictionary_files import load_dictionary
from mibench.core.errors import MethodError
from mibench.metrics.sae.stability import stability
from mibench.records.record import MetricValue
from mibench.runner.observe import Observer
from mibench.runner.settings import RunSettings
from mibench.runner.stability import Repeats, repeated


def stability_of_files(files: Sequence[str]) -> dict[str, MetricValue]:
    """Compare dictionaries of one recipe that were trained from different seeds.

    Raises:
        UsageError: There is no such file.
        ArtifactError: One cannot be used.
        DataError: There are fewer than two, or their widths differ.
    """
    return stability_of([load_dictionary(Path(file)) for file in files])


def stability_of_seeds(settings: RunSettings, n: int, observer: Observer) -> dict[str, MetricValue]:
    """Train the one method of ``settings`` from several seeds, and compare what comes.

    Raises:
        UsageError: The settings name something that does not exist, or the method draws nothing.
        MethodError: It makes no dictionaries.
        MibenchError: The model, the data or the method fails.
    """
    found = repeated(settings, Repeats("seeds", n), observer)
    if not all(isinstance(one, Dictionary) for one in found):
        raise MethodError("The method makes no dictionaries.", why="Latents are compared here.", do="Leave out --hook.")
    return stability_of(found)


def stability_of(dictionaries: Sequence[Dictionary]) -> dict[str, MetricValue]:
    """How far the latents of dictionaries agree, by decoder and by encoder."""
    decoders = [one.tensors["w_dec"].astype(np.float64) for one in dictionaries]
    encoders = [one.tensors["w_enc"].T.astype(np.float64) for one in dictionaries]
    return stability(decoders, encoders)
