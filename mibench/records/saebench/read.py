"""Result files of SAEBench that others published: untrusted, unpaired with anything of ours, and not tested."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mibench.core.errors import DataError, UsageError
from mibench.core.files import is_file, is_folder, read_text
from mibench.records.saebench.schema import FILE_SUFFIX, HEADLINES, SCHEMA

MAX_BYTES = 128 * 1024 * 1024
MAX_FILES = 20_000
MAX_METRICS = 500
PUBLISHED = "published, unpaired, not tested"
UNDEFINED = "SAEBench writes −1 where it is undefined"

Version = Literal["saebench-0.3", "saebench-0.6", "mibench"]
"""Whose definitions: SAEBench's up to 0.3, which published numbers rest on, those of 0.4 to 0.6, or ours, exported."""
VERSIONS: tuple[Version, ...] = ("saebench-0.3", "saebench-0.6", "mibench")

_NAME = re.compile(r"[A-Za-z0-9_]{1,100}")
_MAJOR = re.compile(r"(\d{1,3})\.\d+")
_FIRST_OF_0_4 = 6
"""Major version of SAELens that SAEBench has been built on since 0.4."""


@dataclass(frozen=True)
class PublishedNumber:
    """A metric of a file.

    Attributes:
        value: The number; None where there is none.
        reason: Why there is none; None where there is one.
    """

    value: float | None
    reason: str | None = None


@dataclass(frozen=True)
class PublishedResult:
    """What a file says of one dictionary.

    Attributes:
        eval_type: SAEBench's evaluation.
        release: What the dictionary is filed under.
        sae_id: Its name there.
        version: Whose definitions the numbers follow; conventions are never compared with each other.
        metrics: Numbers by name.
        model: Name of the model; empty where it is not said.
        hook: Hook point, as written there; empty where it is not said.
        architecture: How the dictionary was trained; empty where it is not said.
        d_sae: Number of latents; None: not said.
        source: Name of the file.
    """

    eval_type: str
    release: str
    sae_id: str
    version: Version
    metrics: Mapping[str, PublishedNumber]
    model: str = ""
    hook: str = ""
    architecture: str = ""
    d_sae: int | None = None
    source: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What names the dictionary."""
        return self.release, self.sae_id

    @property
    def headlines(self) -> list[str]:
        """Names of the metrics that are shown first, as far as the file has them."""
        return [name for name in HEADLINES.get(self.eval_type, ()) if name in self.metrics]


def is_result(path: Path | str) -> bool:
    """Tell from the beginning of a file whether it is a result of SAEBench's."""
    if not is_file(path):
        return False
    with Path(path).open("rb") as stream:
        return b'"eval_type_id"' in stream.read(4096)


def read_result(path: Path, *, version: Version | None = None) -> PublishedResult:
    """Read a result file.

    Args:
        path: The file.
        version: Whose definitions it follows, where the file does not tell.

    Raises:
        UsageError: There is no such file.
        DataError: It is no result file, or it does not tell whose definitions it follows and neither do you.
    """
    try:
        raw = json.loads(read_text(path, max_bytes=MAX_BYTES))
    except (ValueError, RecursionError) as error:
        raise _broken(path, f"it is not JSON: {error}") from error
    return parse_result(raw, source=path.name, version=version)


def parse_result(raw: Any, *, source: str, version: Version | None = None) -> PublishedResult:
    """Check a result that was read from JSON, and take what we show of it.

    Args:
        raw: The object.
        source: Where it comes from, for errors.
        version: As in `read_result`.

    Raises:
        DataError: As in `read_result`.
    """
    if not isinstance(raw, dict):
        raise _broken(source, "it is not an object")
    eval_type = raw.get("eval_type_id")
    if not isinstance(eval_type, str) or eval_type not in SCHEMA:
        raise _broken(source, f"'{_short(eval_type)}' is no evaluation of SAEBench's")
    metrics = _metrics(raw.get("eval_result_metrics"), eval_type, source)
    config = raw.get("sae_cfg_dict")
    config = config if isinstance(config, dict) else {}
    settings = raw.get("eval_config")
    settings = settings if isinstance(settings, dict) else {}
    return PublishedResult(
        eval_type=eval_type,
        release=_short(raw.get("sae_lens_release_id")) or "unknown",
        sae_id=_short(raw.get("sae_lens_id")) or source.removesuffix(FILE_SUFFIX),
        version=_agreed(_told(raw, metrics), version, source),
        metrics=metrics,
        model=_short(config.get("model_name")) or _short(settings.get("model_name")),
        hook=_short(config.get("hook_name")),
        architecture=_short(config.get("architecture")),
        d_sae=_width(config.get("d_sae")),
        source=source,
    )


def read_results(folder: Path, *, version: Version | None = None) -> list[PublishedResult]:
    """Read the result files of a folder and its subfolders, in the order of their paths.

    Args:
        folder: The folder, or one file.
        version: As in `read_result`.

    Raises:
        UsageError: There is no such folder, or it has no result file.
        DataError: A file is broken, or there are too many.
    """
    if is_file(folder):
        return [read_result(folder, version=version)]
    paths = sorted(_paths(folder)) if is_folder(folder) else []
    if not paths:
        why = f"Their names end in {FILE_SUFFIX}." if is_folder(folder) else "There is no such folder."
        raise UsageError(f"There are no results of SAEBench's in {folder}.", why=why, do="Check the path.")
    return [read_result(path, version=version) for path in paths]


def _paths(folder: Path) -> Iterator[Path]:
    for number, path in enumerate(folder.rglob(f"*{FILE_SUFFIX}")):
        if number >= MAX_FILES:
            raise _broken(folder, f"it holds more than {MAX_FILES} results")
        if is_file(path):
            yield path


def _metrics(found: Any, eval_type: str, source: str) -> dict[str, PublishedNumber]:
    if not isinstance(found, dict) or not found:
        raise _broken(source, "it has no metrics")
    metrics: dict[str, PublishedNumber] = {}
    for category in found.values():
        if not isinstance(category, dict):
            raise _broken(source, "a category of metrics is not an object")
        for name, value in category.items():
            if _NAME.fullmatch(name) is None or name in metrics or len(metrics) >= MAX_METRICS:
                raise _broken(source, f"'{_short(name)}' is no usable name of a metric, or comes twice")
            metrics[name] = _number(value, name, eval_type, source)
    return metrics


def _number(value: Any, name: str, eval_type: str, source: str) -> PublishedNumber:
    if value is None:
        return PublishedNumber(None, "the file has none")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _broken(source, f"{name} is a {type(value).__name__}, not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        return PublishedNumber(None, "the file has no finite number")
    return PublishedNumber(None, UNDEFINED) if eval_type == "core" and number == -1 else PublishedNumber(number)


def _told(raw: Mapping[str, Any], metrics: Mapping[str, PublishedNumber]) -> Version | None:
    """Whose definitions a file follows, as far as it tells; None: it does not, or contradicts itself.

    Its own word if we exported it. Else the version of SAELens (SAEBench up to 0.3 was built on 5 and before, from 0.4
    on 6), and the fields: ``explained_variance_legacy`` came after 0.3, ``mean_absorption_score`` went before.
    """
    extras = raw.get("eval_result_unstructured")
    if isinstance(extras, dict) and extras.get("made_by") == "mibench":
        return next((version for version in VERSIONS if version == extras.get("convention")), None)
    version = _MAJOR.match(str(raw.get("sae_lens_version")))
    votes: set[Version] = set()
    if version is not None:
        votes.add("saebench-0.6" if int(version[1]) >= _FIRST_OF_0_4 else "saebench-0.3")
    if "explained_variance_legacy" in metrics:
        votes.add("saebench-0.6")
    elif "explained_variance" in metrics or "mean_absorption_score" in metrics:
        votes.add("saebench-0.3")
    return votes.pop() if len(votes) == 1 else None


def _agreed(told: Version | None, stated: Version | None, source: str) -> Version:
    if told is not None and stated is not None and told != stated:
        why = f"It looks like {told}, and {stated} was stated"
        raise _broken(source, why, do="Leave the version out for files that tell it.")
    agreed = told or stated
    if agreed is None:
        why = "it does not tell which version of SAEBench made it, and versions define metrics differently"
        raise _broken(source, why, do="State it: --version saebench-0.3 (published results) or saebench-0.6.")
    return agreed


def _width(value: Any) -> int | None:
    usable = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31
    return value if usable else None


def _short(value: Any) -> str:
    return value[:200] if isinstance(value, str) else ""


def _broken(source: object, why: str, do: str = "Check where it comes from.") -> DataError:
    return DataError(f"{source} is no usable result of SAEBench's.", why=f"{why[:1].upper()}{why[1:]}.", do=do)
