"""How many latents of one dictionary come back in another: files, or one method from several seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.artifacts.dictionary_files import load_dictionary
from mibench.core.errors import MethodError
from mibench.metrics.sae.stability import stability
from mibench.records.record import MetricValue
from mibench.runner.again.stability import Repeats, repeated
from mibench.runner.observe import Observer
from mibench.runner.settings import RunSettings


def stability_of_files(files: Sequence[str]) -> tuple[dict[str, MetricValue], list[str]]:
    """Compare dictionaries of one recipe that were trained from different seeds; and what else tells them apart.

    Raises:
        UsageError: There is no such file.
        ArtifactError: One cannot be used.
        DataError: There are fewer than two, or their widths differ.
    """
    found = [load_dictionary(Path(file)) for file in files]
    return stability_of(found), remarks(found, files)


def remarks(dictionaries: Sequence[Dictionary], names: Sequence[str]) -> list[str]:
    """What makes the agreement of dictionaries something else than that of seeds of one recipe.

    Args:
        dictionaries: The dictionaries.
        names: What they are called, likewise.
    """
    by_digest: dict[str, list[str]] = {}
    for name, one in zip(names, dictionaries, strict=True):
        by_digest.setdefault(one.digest, []).append(name)
    notes = [f"{', '.join(same)} are one dictionary, which agrees with itself" for same in _several(by_digest)]
    for what, values in _recipes(dictionaries).items():
        if len(set(values)) > 1:
            said = ", ".join(f"{name} {value}" for name, value in zip(names, values, strict=True))
            notes.append(f"they differ in {what}, not in their seed alone: {said}")
    by_seed: dict[int, list[str]] = {}
    for own in by_digest.values():
        one = dictionaries[list(names).index(own[0])]
        if one.training.seed is not None:
            by_seed.setdefault(one.training.seed, []).append(own[0])
    notes += [f"{', '.join(same)} have the same seed, so they are not draws of it" for same in _several(by_seed)]
    return notes


def _several(groups: Mapping[Any, list[str]]) -> list[list[str]]:
    return [names for names in groups.values() if len(names) > 1]


def _recipes(dictionaries: Sequence[Dictionary]) -> dict[str, list[str]]:
    """What dictionaries of one recipe share, in words; what a file does not say is no difference."""
    stated = {name: [one.params.get(name) for one in dictionaries] for one in dictionaries for name in one.params}
    found = stated | {
        "place": [f"{one.place.model or '?'} {one.place.text}" for one in dictionaries],
        "architecture": [one.architecture for one in dictionaries],
        "width": [f"{one.d_sae} latents" for one in dictionaries],
        "training text": [one.training.corpus for one in dictionaries],
        "training tokens": [one.training.tokens for one in dictionaries],
    }
    return {what: [str(value) for value in values] for what, values in found.items() if None not in values}


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
