from __future__ import annotations

import click
import pytest

from mibench.artifacts.files import FORMATS
from mibench.cli.discover import command
from mibench.core.errors import UsageError
from mibench.runner.discover import check_output
from mibench.runner.settings import RunSettings

OWN = {"seed", "out", "overwrite", "as_json"}


def test_what_it_shares_with_run_has_the_same_names():
    names = {str(one.name).rstrip("_") for one in command.params}
    assert names - OWN <= set(RunSettings.model_fields)


def test_it_takes_one_seed_and_nothing_that_is_about_scoring():
    flags = {flag for one in command.params if isinstance(one, click.Option) for flag in one.opts}
    assert "--seed" in flags
    assert not flags & {"--seeds", "--split", "--against", "--floor-draws", "--only", "--ablation"}


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_artifact_format_is_accepted_in_a_folder_to_be(tmp_path, suffix):
    check_output(tmp_path / "new" / f"scores{suffix}", overwrite=False)


def test_an_output_is_checked_before_anything_is_computed(tmp_path):
    there = tmp_path / "scores.json"
    there.write_text("mine")
    for path in (there, tmp_path / "scores.xyz", tmp_path / "scores", there / "scores.json"):
        with pytest.raises(UsageError):
            check_output(path, overwrite=False)
    check_output(there, overwrite=True)
    assert there.read_text() == "mine"
