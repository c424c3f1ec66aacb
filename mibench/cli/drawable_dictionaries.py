"""What ``mibench plot`` draws of dictionaries: their records, with L0, as panels, grids, histograms and matchings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mibench.artifacts.dictionary_files import load_dictionary
from mibench.cli.drawable import store_of
from mibench.cli.find import all_records, find_record
from mibench.core.errors import DataError, UsageError
from mibench.core.files import is_folder
from mibench.core.specs import Cell, Track
from mibench.leaderboard.families import recipe_of, seed_of
from mibench.leaderboard.rows import GENERATED, Entry, place
from mibench.leaderboard.sparsity import L0, with_l0
from mibench.leaderboard.text import plain
from mibench.metrics.sae.matching import UNMATCHED, cosines
from mibench.models.known import note_of
from mibench.plots.density import Densities
from mibench.plots.recovery_matrix import Recovery
from mibench.records.record import MetricValue, RunRecord
from mibench.tasks.sae.dictionary_task import load_dictionary_task
from mibench.tasks.synthetic.settings import SyntheticSettings
from mibench.tasks.synthetic.truth import make_truth

_LATENTS, _FEATURES, _SAMPLES = "latents", "features", "samples"
_FEW_TOKENS = 100_000_000
"""Training tokens below which the caption says that there are few."""


def dictionary_entries(refs: Sequence[str], folder: str) -> list[Entry]:
    """Return records of dictionaries, each with its L0 where that is known.

    Args:
        refs: Folders of records, record files and beginnings of cell ids; none: all of ``folder``.
        folder: Where ids are looked for.

    Raises:
        UsageError: There is no such record, or one is not of the SAE track.
        StoreError: A record is broken.
    """
    found: dict[str, Entry] = {}
    for ref in refs or (folder,):
        for entry in _of_folder(ref) if is_folder(ref) or not refs else [_one(ref, folder)]:
            found.setdefault(entry.record.cell.id, entry)
    return sorted(with_l0([_with_sampled_l0(entry) for entry in found.values()]), key=_by_l0)


def _by_l0(entry: Entry) -> tuple[str, float, int, str]:
    record = entry.record
    value, seed = record.metrics.get(L0), seed_of(record)
    l0 = 0.0 if value is None or value.value is None else value.value
    return record.cell.method.name, l0, -1 if seed is None else seed, record.cell.id


def _of_folder(folder: str) -> list[Entry]:
    kept = [Entry(one.record, one.store) for one in all_records([folder]) if one.record.cell.track is Track.SAE]
    if not kept:
        why = "It holds no record of a sparse dictionary."
        do = "mibench run --task sae-core --method topk, or give another folder."
        raise UsageError(f"There is nothing to draw in {folder}.", why=why, do=do)
    return kept


def _one(ref: str, folder: str) -> Entry:
    record = find_record(ref, folder)
    if record.cell.track is not Track.SAE:
        raise UsageError(
            f"The record {ref} cannot be drawn so.",
            why=f"It is of the {record.cell.track} track, and this picture is of sparse dictionaries.",
            do=f"mibench plot {'sites' if record.cell.track is Track.VARIABLE else 'curves'} {ref}",
        )
    return Entry(record, store_of(record, ref, folder))


def _with_sampled_l0(entry: Entry) -> Entry:
    """Add the L0 of a record that has it in its table of samples only."""
    record = entry.record
    if L0 in record.metrics or _SAMPLES not in record.tables:
        return entry
    samples = entry.store.table(record, _SAMPLES)
    if L0 not in samples.columns or not len(samples):
        return entry
    value = MetricValue(value=float(samples[L0].mean()), ci_reason="mean of a table", n=len(samples), unit="latents")
    return Entry(record.model_copy(update={"metrics": {L0: value} | record.metrics}), entry.store)


def shared_title(cells: Iterable[Cell]) -> str:
    """Return the place and model that cells share, as far as they do."""
    found = list(dict.fromkeys(_ground(cell) for cell in cells))
    return found[0] if len(found) == 1 else f"Dictionaries at {len(found)} places"


def _ground(cell: Cell) -> str:
    where = cell.dictionary
    if where is None or where.hook == GENERATED:
        return "Generated activations"
    return plain(f"{place(where)} of {cell.model.name}")


def below(cell: Cell) -> str:
    """Return what was evaluated, for the line below a panel's title."""
    limit = "all" if cell.task.limit is None else f"{cell.task.limit:,}"
    convention = "" if cell.convention.value == "mibench" else f" · {cell.convention.value}"
    return plain(f"{cell.task.name} · {cell.task.split}, {limit} examples{convention}")


def remarks(records: Sequence[RunRecord]) -> list[str]:
    """Return what limits the numbers: the weights, few training tokens, cells without numbers."""
    models = dict.fromkeys(record.cell.model.name for record in records)
    said = [f"Weights: {note}" for name in models if (note := note_of(name))]
    trained = [record.dictionary.train_tokens for record in records if record.dictionary is not None]
    tokens = sorted({one for one in trained if one})
    if tokens and tokens[-1] < _FEW_TOKENS and any(_ground(one.cell) != "Generated activations" for one in records):
        span = f"{tokens[0]:,}" if len(tokens) == 1 else f"{tokens[0]:,} to {tokens[-1]:,}"
        said.append(
            f"Dictionaries were trained on {span} tokens, published ones on 500 million: they are under-trained"
        )
    stopped = Counter(record.status for record in records if record.status != "ok")
    said += [f"{n} of {len(records)} records {status}" for status, n in stopped.items()]
    return [plain(one, 300) for one in said]


def labels(records: Sequence[RunRecord]) -> list[str]:
    """Return a name of each dictionary that no other has: method, sparsity, seed, and task and id where needed."""
    tasks = {record.cell.task.name for record in records}
    seeds = {seed_of(record) for record in records}
    named = []
    for record in records:
        seed = seed_of(record) if len(seeds) > 1 else None
        parts = [record.cell.method.name, recipe_of(record), "" if seed is None else f"seed {seed}"]
        parts += [record.cell.task.name] if len(tasks) > 1 else []
        named.append(plain(" ".join(filter(None, parts)), 60))
    often = Counter(named)
    return [
        name if often[name] == 1 else f"{name} {record.cell.id[:6]}"
        for name, record in zip(named, records, strict=True)
    ]


def densities(entries: Sequence[Entry]) -> list[Densities]:
    """Return how often the latents of each record are active.

    Raises:
        UsageError: A record has no table of that.
        StoreError: A table is missing or damaged.
    """
    names = labels([entry.record for entry in entries])
    return [_densities(entry, name) for entry, name in zip(entries, names, strict=True)]


def _densities(entry: Entry, name: str) -> Densities:
    record, store = entry.record, entry.store
    table = store.table(record, _LATENTS) if _LATENTS in record.tables else pd.DataFrame()
    if {"active", "tokens"} <= set(table.columns):
        active, tokens = table["active"].to_numpy(np.float64), int(table["tokens"].iloc[0]) if len(table) else 0
    elif "fired" in table.columns and _SAMPLES in record.tables:
        active, tokens = table["fired"].to_numpy(np.float64), record.tables[_SAMPLES].rows
    else:
        active, tokens = np.zeros(0), 0
    if not len(active) or tokens < 1:
        raise _without(record, "how often its latents are active", "Use records of sae-core or sae-synthetic-….")
    return Densities(name, active / tokens, tokens)


def _without(record: RunRecord, what: str, do: str) -> UsageError:
    own = ", ".join(record.tables) or "none"
    why = f"Cell {record.cell.id[:6]} of {record.cell.task.name} has no table of {what}; its tables: {own}."
    return UsageError("The record cannot be drawn so.", why=why, do=do)


def recovery_of(entry: Entry, file: str | None) -> Recovery:
    """Return the matching of a record of generated data; with its dictionary's file, all cosines too.

    Raises:
        UsageError: The record is of no generated data, or the file holds another dictionary.
        ArtifactError: The file cannot be used.
        StoreError: A table is missing or damaged.
    """
    record = entry.record
    if not {_FEATURES, _LATENTS} <= set(record.tables):
        raise _without(record, "true features", "Use a record of sae-synthetic-toy or sae-synthetic-16k.")
    features, latents = (entry.store.table(record, name) for name in (_FEATURES, _LATENTS))
    found = Recovery(
        latent=features["latent"].to_numpy(np.int64),
        cosine=features["cosine"].to_numpy(np.float64),
        closest=latents["feature"].to_numpy(np.int64),
        closest_cosine=latents["cosine"].to_numpy(np.float64),
    )
    _check_recovery(found, record)
    return found if file is None else _with_cosines(found, record, file)


def _check_recovery(found: Recovery, record: RunRecord) -> None:
    features, latents = len(found.latent), len(found.closest)
    inside = features and latents and found.latent.min() >= UNMATCHED and found.latent.max() < latents
    if not (inside and found.closest.min() >= 0 and found.closest.max() < features):
        why = "They name latents or features that there are not."
        raise DataError(f"The tables of cell {record.cell.id} cannot be drawn.", why=why, do="Run the cell again.")


def _with_cosines(found: Recovery, record: RunRecord, file: str) -> Recovery:
    own = load_dictionary(Path(file), hook="residual-post.L0")
    scored = "" if record.dictionary is None else record.dictionary.sha256
    if own.digest != scored:
        raise UsageError(
            f"{file} is not the dictionary of this record.",
            why=f"Its digest is {own.digest[:12]}, that of the scored one {scored[:12] or 'unknown'}.",
            do="Give the file that was scored; mibench discover with the same settings writes it again.",
        )
    settings = load_dictionary_task(record.cell.task.name).settings
    if not isinstance(settings, SyntheticSettings):
        why = f"{record.cell.task.name} has no settings of generated data here."
        raise UsageError("The true features are not known.", why=why, do="Leave out --dictionary.")
    directions = make_truth(settings.recipe).directions
    return Recovery(
        found.latent,
        found.cosine,
        found.closest,
        found.closest_cosine,
        cosines(own.tensors["w_dec"], directions, either_sign=own.rule.activation == "linear"),
    )
