"""Sets of the package sae-probes: read from its files only, each text once."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, PackagePath
from pathlib import Path

import pytest

from mibench.core.errors import DataError, UsageError
from mibench.tasks.probing import sae_probes
from mibench.tasks.probing.sae_probes import family, names, sae_probes_set

TABLE = """prompt,prompt_len,target
one,1,yes
two,1,no
one,1,yes
three,1,yes
three,1,no
" ",1,no
"four, with
a break",1,no
NA,1,yes
"""
MASTER = """Dataset save name,Data type
cleaned_data/7_own_set.csv,Binary Classification
cleaned_data/9_spoilt.csv,Binary Classification
cleaned_data/8_number.csv,Continuous Data
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package with three files of data."""
    zstandard = pytest.importorskip("zstandard")
    folder = tmp_path / "sae_probes" / "data"
    contents = {
        "cleaned_data/7_own_set": TABLE,
        "cleaned_data/8_number": "prompt,target\na,1.5\n",
        "cleaned_data/9_spoilt": "text,target\na,1\n",
        "probing_datasets_MASTER": MASTER,
    }
    listed = []
    for name, content in contents.items():
        path = folder / f"{name}.csv.zst"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(zstandard.ZstdCompressor().compress(content.encode()))
        one = PackagePath(f"sae_probes/data/{name}.csv.zst")
        one.dist = _Installed(tmp_path)
        listed.append(one)
    monkeypatch.setattr(sae_probes, "files", lambda _: listed)
    monkeypatch.setattr(sae_probes, "version", lambda _: "0.4.2")
    _forget()
    yield folder
    _forget()


class _Installed:
    def __init__(self, root: Path) -> None:
        self.root = root

    def locate_file(self, path: PackagePath) -> Path:
        return self.root / path


def _forget() -> None:
    sae_probes._paths.cache_clear()
    sae_probes._binary_names.cache_clear()


def test_each_text_is_kept_once_and_contradictions_are_not(package: Path) -> None:
    found = sae_probes_set("7_own_set")
    assert {row.text: row.label for row in found.rows} == {
        "one": True,
        "two": False,
        "four, with\na break": False,
        "NA": True,
    }
    assert all(row.group == row.text for row in found.rows)
    assert "sae_probes" not in sys.modules


def test_only_binary_sets_are_listed(package: Path) -> None:
    assert names() == ["7_own_set", "9_spoilt"]
    with pytest.raises(UsageError):
        sae_probes_set("8_number")


def test_files_that_are_not_what_they_should_be_are_refused(package: Path) -> None:
    with pytest.raises(DataError, match="cannot be used"):
        sae_probes_set("9_spoilt")
    (package / "cleaned_data" / "7_own_set.csv.zst").write_bytes(b"no archive")
    with pytest.raises(DataError, match="cannot be read"):
        sae_probes_set("7_own_set")


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    _forget()
    monkeypatch.setattr(sae_probes, "files", missing)
    with pytest.raises(DataError, match="not installed") as caught:
        names()
    assert caught.value.do.startswith("pip install")
    _forget()


def test_a_package_without_data_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _forget()
    monkeypatch.setattr(sae_probes, "files", lambda _: [])
    monkeypatch.setattr(sae_probes, "version", lambda _: "0.4.2")
    with pytest.raises(DataError, match="no data files"):
        names()
    _forget()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("65_high-school", "bigrams"),
        ("117_us_state_FL", "places"),
        ("10_nyc_borough", "places"),
        ("113_movie_sent", "reviews"),
        ("92_glue_sst2", "glue"),
        ("106_hate_hate", "tweets"),
        ("96_spam_is", "spam_is"),
    ],
)
def test_sets_of_one_family_are_recognised(name: str, expected: str) -> None:
    assert family(name) == expected


@pytest.mark.slow
def test_the_installed_package_has_over_a_hundred_sets_none_twice() -> None:
    pytest.importorskip("zstandard")
    try:
        listed = names()
    except DataError:
        pytest.skip("sae-probes is not installed")
    assert len(listed) == 113
    digests = [sae_probes.data_digest(name) for name in listed]
    assert len(set(digests)) == len(digests)
    assert len(sae_probes_set("108_athlete_sport" if "108_athlete_sport" in listed else listed[0]).rows) > 100
