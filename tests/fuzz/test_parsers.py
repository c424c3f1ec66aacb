"""No reader of files that others wrote fails otherwise than it says: by an error of mibench, and soon.

``make fuzz FUZZ_SECONDS=600`` shares so many seconds among the readers; ``FUZZ_SEED`` is where random numbers begin.
A finding is told with its seed, and its file is kept: ``FUZZ_SEED=17 pytest tests/fuzz -m slow -k "round.json"`` finds
it again.
"""

from __future__ import annotations

import hashlib
import os
import resource
import time
from pathlib import Path

import pytest
from fuzz.parsers import PARSERS
from hypothesis import HealthCheck, Phase, given, seed, settings

from mibench.core.errors import MibenchError

SECONDS = float(os.environ.get("FUZZ_SECONDS", "60"))
"""For all readers together."""
FIRST_SEED = int(os.environ.get("FUZZ_SEED", "0"))
KEPT = Path(os.environ.get("FUZZ_KEPT", "fuzz-findings"))
BATCH = 100
LONGEST = 2.0
"""CPU seconds that a small file may take."""
GROWTH = 500 * 1024
"""KiB that the process may grow by."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(0), pytest.mark.filterwarnings("ignore")]


class Finding(AssertionError):
    """What a reader did that it must not do."""


@pytest.mark.parametrize("name", PARSERS)
def test_damaged_files_are_read_or_refused(name, tmp_path):
    parser = PARSERS[name]
    seeds = parser.seeds(tmp_path)
    path = tmp_path / parser.file
    # Of formats in folders, the other files are those of one of the seeds.
    path.write_bytes(seeds[-1])
    parser.read(path)
    tried, grown = [0, 0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ends, number = time.monotonic() + SECONDS / len(PARSERS), FIRST_SEED
    while time.monotonic() < ends:
        _batch(parser, seeds, path, number, tried)
        number += 1
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown
    print(  # noqa: T201
        f"\nfuzz: {name}: {tried[0]} files, {tried[1]} refused, seeds {FIRST_SEED}-{number - 1}, +{grown // 1024} MiB"
    )
    if grown > GROWTH:
        raise Finding(f"the process grew by {grown // 1024} MiB")


def _batch(parser, seeds, path, number, tried):
    @seed(number)
    @settings(
        max_examples=BATCH,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(parser.damaged(seeds))
    def one(content):
        path.write_bytes(content)
        tried[0] += 1
        tried[1] += _refused(parser, path, content)

    try:
        one()
    except BaseException:
        KEPT.mkdir(exist_ok=True)
        kept = KEPT / f"{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}-{path.name}"
        kept.write_bytes(path.read_bytes())
        print(f"\nfuzz: FUZZ_SEED={number} finds it; the last file is {kept}")  # noqa: T201
        raise


def _refused(parser, path, content):
    """Whether a file is refused; refusing and reading are fine, and nothing else is."""
    started = time.process_time()
    try:
        refused = bool(getattr(parser.read(path), "failures", ()))
    except MibenchError as error:
        refused = True
        if not (error.what and error.why and error.do):
            raise Finding("a refusal without what, why or do") from error
    if time.process_time() - started > LONGEST:
        raise Finding(f"{len(content)} bytes take {time.process_time() - started:.1f} s")
    return refused
