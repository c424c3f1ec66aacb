"""What damaged files have found: each was an error of Python's own before, and is a refusal or nothing now."""

from __future__ import annotations

import json

import pytest

from mibench.artifacts.formats.position_map import read_position_map
from mibench.core.errors import DataError, MibenchError, ModelError
from mibench.core.hashing import file_digest
from mibench.core.shipped import shipped_digests
from mibench.models.catalogue import CATALOGUE
from mibench.models.convert import MANIFEST_FILE, read_manifest
from mibench.models.digest import read_config
from mibench.models.interpbench.folder import read_lens_manifest
from mibench.runner.again.published import read_published
from mibench.runner.handed_in.score import read_meta
from mibench.runner.settings import read_run_file
from mibench.tasks.shipped import read_rows

DEEP = "[" * 100_000


@pytest.mark.parametrize("value", ["!!int ''", "!!bool x", "!!timestamp x", "{!!int '': 1}", "1:" * 200 + "1.5"])
@pytest.mark.parametrize("read", [read_meta, read_position_map, read_published, read_run_file])
def test_yaml_whose_values_are_not_what_their_tags_say_is_refused(read, value, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(f"params: {{a: {value}}}\n")
    with pytest.raises(MibenchError):
        read(str(path))


@pytest.mark.parametrize("line", [DEEP, "{", "1", '"x"', ""])
def test_rows_that_are_no_objects_are_refused_with_their_line(line, tmp_path):
    path = tmp_path / "test.jsonl"
    path.write_text(f'{{"a": 1}}\n{line}\n')
    (tmp_path / "digests.json").write_text(json.dumps({"sha256": {"test.jsonl": file_digest(path)}}))
    with pytest.raises(DataError, match="line 2"):
        list(read_rows(tmp_path, "test.jsonl"))


def test_line_separators_inside_of_a_row_do_not_cut_it(tmp_path):
    path = tmp_path / "test.jsonl"
    path.write_text('{"a": "x\u2028y"}\n', encoding="utf-8")
    (tmp_path / "digests.json").write_text(json.dumps({"sha256": {"test.jsonl": file_digest(path)}}))
    assert [row for _, row in read_rows(tmp_path, "test.jsonl")] == [{"a": "x\u2028y"}]


def test_json_that_nests_too_deeply_is_refused_or_is_nothing(tmp_path):
    for name in ("digests.json", "config.json", MANIFEST_FILE):
        (tmp_path / name).write_text(DEEP)
    with pytest.raises(DataError):
        shipped_digests(tmp_path)
    with pytest.raises(ModelError):
        read_config(tmp_path)
    spec = next(iter(CATALOGUE.values()))
    assert read_manifest(tmp_path, spec) is None
    assert read_lens_manifest(tmp_path, spec) is None
