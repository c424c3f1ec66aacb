"""Published results that come with mibench."""

from __future__ import annotations

import csv
import io

from mibench.core.errors import DataError, UsageError
from mibench.core.files import is_file, read_text
from mibench.core.shipped import shipped_places
from mibench.records.saebench.read import PublishedNumber, PublishedResult

SHIPPED = "saebench"
"""What users write for them."""
_FILE = "published_loss_recovered.csv"
_RELEASE = "sae_bench_results_0125"
_MAX_BYTES = 1024 * 1024


def shipped_results() -> list[PublishedResult]:
    """Return loss recovered and L0 of dictionaries of SAEBench's suite, by the definitions of its version 0.3.

    Raises:
        UsageError: The file is not installed.
        DataError: It was changed.
    """
    path = next((place for place in shipped_places("data", "saebench", _FILE) if is_file(place)), None)
    if path is None:
        raise UsageError("The published results are not installed.", why=f"{_FILE} is missing.", do="Install again.")
    lines = csv.DictReader(io.StringIO(read_text(path, max_bytes=_MAX_BYTES)))
    try:
        return [_result(line) for line in lines]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} was changed.", why=f"{error!r}.", do="Install mibench again.") from error


def _result(line: dict[str, str]) -> PublishedResult:
    architecture, width, l0 = line["architecture"], int(line["width"]), float(line["l0"])
    numbers = {"l0": l0, "ce_loss_score": float(line["ce_loss_score"])}
    return PublishedResult(
        eval_type="core",
        release=_RELEASE,
        sae_id=f"{line['model']} {architecture} {width} L0 {l0:g}",
        version="saebench-0.3",
        metrics={name: PublishedNumber(value) for name, value in numbers.items()},
        model=line["model"],
        hook=f"blocks.{int(line['layer'])}.hook_resid_post",
        architecture=architecture,
        d_sae=width,
        source=_FILE,
    )
