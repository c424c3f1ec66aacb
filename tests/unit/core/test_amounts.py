from __future__ import annotations

import pytest

from mibench.core.amounts import duration, size


@pytest.mark.parametrize(
    ("n_bytes", "said"),
    [
        (0, "0 kB"),
        (1500, "1.5 kB"),
        (12_345, "12.3 kB"),
        (2.5e6, "2.5 MB"),
        (2.5e7, "25 MB"),
        (4e9, "4 GB"),
        (8.03e10, "80.3 GB"),
        (2e12, "2 TB"),
        (5e12, "5 TB"),
    ],
)
def test_sizes_are_in_the_unit_in_which_they_are_read(n_bytes, said):
    assert size(n_bytes) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "under 1 s"),
        (1, "1 s"),
        (3.21, "3.2 s"),
        (59, "59 s"),
        (90, "1.5 min"),
        (7200, "2 h"),
        (360_000, "100 h"),
        (4e5, "111 h"),
    ],
)
def test_times_are_in_the_unit_in_which_they_are_read(seconds, said):
    assert duration(seconds) == said
