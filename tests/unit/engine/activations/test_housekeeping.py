from __future__ import annotations

import pytest
from stored import TRANSCODER, request

from mibench.core.errors import UsageError
from mibench.engine.activations.housekeeping import list_stores, remove_store
from mibench.engine.activations.store import open_store


def test_stores_are_listed_with_what_they_are(tmp_path):
    whole, part = request(tmp_path, TRANSCODER), request(tmp_path)
    open_store(whole).fill()
    next(open_store(part).passes())
    found = {info.key: info for info in list_stores(tmp_path)}
    assert set(found) == {whole.key, part.key}
    assert found[whole.key].points == ("mlp-in.L1", "mlp-out.L1")
    assert (found[whole.key].chunks, found[whole.key].of) == (8, 8)
    assert (found[part.key].chunks, found[part.key].of) == (1, 8)
    assert (found[part.key].model, found[part.key].corpus) == ("tiny", "random (train)")
    assert found[part.key].bytes == sum(path.stat().st_size for path in (tmp_path / part.key).glob("chunk-*"))


def test_what_is_no_store_is_passed_over(tmp_path):
    for name, content in (("a" * 64, "{"), ("b" * 64, '{"model": 3}'), ("notes", "{}")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(content)
    assert list_stores(tmp_path) == []
    assert list_stores(tmp_path / "missing") == []


def test_a_store_is_removed_and_nothing_else(tmp_path):
    one, other = request(tmp_path, TRANSCODER), request(tmp_path)
    for made in (one, other):
        open_store(made).fill()
    (tmp_path / one.key / "mine.txt").write_text("kept")
    freed = remove_store(tmp_path, one.key)
    assert freed > one.total_bytes
    assert [path.name for path in (tmp_path / one.key).iterdir()] == ["mine.txt"]
    assert [info.key for info in list_stores(tmp_path)] == [other.key]
    remove_store(tmp_path, other.key)
    assert not (tmp_path / other.key).exists()


@pytest.mark.parametrize("key", ["..", "", "f" * 64])
def test_only_a_store_can_be_removed(tmp_path, key):
    with pytest.raises(UsageError, match="Unknown activation store"):
        remove_store(tmp_path, key)
