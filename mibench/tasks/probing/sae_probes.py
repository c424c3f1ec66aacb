"""Binary sets of the package ``sae-probes``: read from its data files, without running its code."""

from __future__ import annotations

import io
import re
from collections import defaultdict
from functools import cache
from importlib.metadata import PackageNotFoundError, files, version
from pathlib import Path

import pandas as pd

from mibench.core.errors import DataError
from mibench.core.hashing import file_digest
from mibench.core.names import unknown
from mibench.tasks.probing.labelled import LabelledSet, LabelledText

PACKAGE = "sae-probes"
COMMAND = "pip install --no-deps sae-probes==0.4.2 zstandard"
LICENCE = "package MIT; texts under the terms of their many sources"

_FILE = re.compile(r"sae_probes/data/cleaned_data/(?P<name>\d+_[^/]+)\.csv\.zst")
_MOST_BYTES = 512 * 1024 * 1024
_LONGEST = 20_000
"""Characters of a text that are kept; more than any context of ours holds."""

_FAMILIES = (
    ("hist_fig", "hist_fig"), ("nyc_", "places"), ("us_", "places"), ("world_", "places"), ("headline", "headlines"),
    ("art_", "art"), ("arith", "arithmetic"), ("temp_", "temporal"), ("context", "context"), ("cm_", "ethics"),
    ("deon", "ethics"), ("just", "ethics"), ("virtue", "ethics"), ("wikidata", "wikidata"), ("glue", "glue"),
    ("news_class", "news"), ("agnews", "news"), ("cancer", "medicine"), ("disease", "medicine"), ("twt", "tweets"),
    ("hate", "tweets"), ("toxic", "tweets"), ("it_tick", "it_tick"), ("athlete", "athlete"), ("code_", "code"),
    ("amazon", "reviews"), ("yelp", "reviews"), ("amzn", "reviews"), ("movie", "reviews"),
)  # fmt: skip
"""Beginning of a set's name, after its number, and the family of data that it belongs to."""

_BIGRAM = re.compile(r"[a-z]+-[a-z]+")


def names() -> list[str]:
    """Return the binary sets, in the order of their numbers.

    No two of them are the same texts with the same labels (the twins 111_yelp_data and 112_amzn_rev have five classes).

    Raises:
        DataError: The package is not installed.
    """
    return [name for name in sorted(_paths(), key=_number) if name in _binary_names()]


def family(name: str) -> str:
    """Return the family of data of a set; sets of one family are resampled together.

    Those that ask for the sense of a word in a bigram are one family; a set that is like no other is its own.
    """
    bare = name.partition("_")[2]
    if _BIGRAM.fullmatch(bare):
        return "bigrams"
    return next((found for begin, found in _FAMILIES if bare.startswith(begin)), bare)


def sae_probes_set(name: str) -> LabelledSet:
    """Return a binary set, each text once; a text that comes with both labels is left out.

    The positive label is the second of the two in sorted order (1, True, yes). Each text is its own group.

    Raises:
        UsageError: The package has no binary set of that name.
        DataError: The package or zstandard is not installed, or the file cannot be read.
    """
    if name not in names():
        raise unknown("labelled set", name, names())
    targets: dict[str, set[str]] = defaultdict(set)
    path = _paths()[name]
    table = _columns(_read(path), path, "prompt", "target")
    for prompt, target in zip(table["prompt"], table["target"], strict=True):
        if prompt.strip():
            targets[prompt[:_LONGEST]].add(target)
    labels = sorted({target for found in targets.values() for target in found})
    rows = tuple(LabelledText(text, found == {labels[1]}, text) for text, found in targets.items() if len(found) == 1)
    return LabelledSet(name, family(name), rows, LICENCE)


def data_digest(name: str) -> str:
    """Return the sha256 of the file of a set.

    Raises:
        UsageError: The package has no such set.
        DataError: The package is not installed.
    """
    paths = _paths()
    if name not in paths:
        raise unknown("labelled set", name, paths)
    return file_digest(paths[name])


@cache
def _paths() -> dict[str, Path]:
    try:
        listed = files(PACKAGE) or []
        version(PACKAGE)
    except PackageNotFoundError as error:
        raise _missing(f"The package {PACKAGE} is not installed.") from error
    found = {match["name"]: Path(str(one.locate())) for one in listed if (match := _FILE.fullmatch(one.as_posix()))}
    if not found:
        raise _missing(f"The installed package {PACKAGE} has no data files.")
    return found


@cache
def _binary_names() -> frozenset[str]:
    """Names of sets that the package's own list calls binary."""
    master = next(iter(_paths().values())).parents[1] / "probing_datasets_MASTER.csv.zst"
    table = _columns(_read(master), master, "Data type", "Dataset save name")
    wanted = table[table["Data type"].str.strip() == "Binary Classification"]
    return frozenset(Path(name).name.removesuffix(".csv") for name in wanted["Dataset save name"])


def _columns(table: pd.DataFrame, path: Path, *names: str) -> pd.DataFrame:
    missing = [name for name in names if name not in table.columns]
    if missing:
        why = f"It has no column {', '.join(missing)}."
        raise DataError(f"{path} cannot be used.", why=why, do=f"Install it again: {COMMAND}")
    return table


def _read(path: Path) -> pd.DataFrame:
    try:
        import zstandard
    except ImportError as error:
        raise _missing("The package zstandard is not installed.") from error
    try:
        with path.open("rb") as stream, zstandard.ZstdDecompressor().stream_reader(stream) as plain:
            content = plain.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES} bytes unpacked")
        return pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    except (OSError, ValueError, zstandard.ZstdError) as error:
        raise DataError(f"{path} cannot be read.", why=str(error), do=f"Install it again: {COMMAND}") from error


def _number(name: str) -> int:
    return int(name.partition("_")[0])


def _missing(what: str) -> DataError:
    return DataError(what, why="The sets of this task are its data files.", do=COMMAND)
