from __future__ import annotations

import json
import os
from dataclasses import replace

import featurizer_examples as examples
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mibench.artifacts.featurizers.checks import KINDS
from mibench.artifacts.featurizers.featurizers import Featurizers, SiteFeaturizer
from mibench.artifacts.featurizers.files import load_featurizers, save_featurizers
from mibench.artifacts.featurizers.native import is_native
from mibench.artifacts.featurizers.operation import Operation
from mibench.core.errors import ArtifactError, MibenchError, UsageError
from mibench.core.sites import Component, Site


def many():
    rng = np.random.default_rng(0)
    sites = [
        SiteFeaturizer(Site(layer, "last"), (examples.example(kind, rng),), "all") for layer, kind in enumerate(KINDS)
    ]
    dictionary = examples.sae(rng, 6, act="jumprelu", dtype=np.float32)
    mask = np.arange(11) % 3 == 0
    sites += [
        SiteFeaturizer(Site(3, "first"), (dictionary,), (2, 9)),
        SiteFeaturizer(Site(4, "first"), (dictionary,), mask),
        SiteFeaturizer(Site(5, "first"), (dictionary,), ()),
        SiteFeaturizer(Site(2, "all", Component.HEAD, 1), (Operation("identity"),), (0,)),
    ]
    said = {"meta": {"seen": [1, 2.5, None]}, "method": "das", "params": {"k": 3}}
    return Featurizers("gpt2", "ioi", "output_token", tuple(sites), **said)


@pytest.fixture(params=["one.safetensors", "folder", "qwen2.5-0.5b"])
def saved(request, tmp_path):
    path = tmp_path / request.param
    save_featurizers(many(), path)
    return path


def rewritten(path, change):
    """The file with another manifest and tensors: ``change(manifest, tensors)`` changes both in place."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as stream:
        manifest = json.loads(stream.metadata()["mibench"])
    tensors = load_file(path)
    change(manifest, tensors)
    save_file(tensors, path, metadata={"mibench": json.dumps(manifest)})
    return path


def test_everything_comes_back(saved):
    found, wanted = load_featurizers(saved), many()
    assert found.digest == wanted.digest
    assert (found.method, found.params, found.meta) == (wanted.method, wanted.params, wanted.meta)
    assert [one.site for one in found.sites] == [one.site for one in wanted.sites]
    assert found[Site(5, "first")].select == ()
    for one, other in zip(found.sites, wanted.sites, strict=True):
        for part, same in zip(one.operations, other.operations, strict=True):
            assert part.options == same.options
            for name, array in part.tensors.items():
                assert array.dtype == same.tensors[name].dtype
                assert np.array_equal(array, same.tensors[name])


def test_equal_content_gives_equal_bytes_whatever_the_order(tmp_path):
    first, second = many(), many()
    save_featurizers(first, tmp_path / "a.safetensors")
    save_featurizers(replace(second, sites=second.sites[::-1]), tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    for name in ("c", "d"):
        save_featurizers(first, tmp_path / name)
    for part in ("manifest.json", "weights.safetensors"):
        assert (tmp_path / "c" / part).read_bytes() == (tmp_path / "d" / part).read_bytes()


def test_a_dictionary_at_many_sites_is_kept_once(tmp_path):
    save_featurizers(many(), tmp_path / "one.safetensors")
    shapes = [array.shape for array in load_file(tmp_path / "one.safetensors").values() if array.dtype == np.float32]
    assert sorted(shapes) == [(6,), (6, 11), (11,), (11,), (11, 6)]


def test_operations_of_ones_own_class_are_saved_by_site(tmp_path):
    rotation = examples.rotation(np.random.default_rng(0), 6, 2, np.float32)
    given = {"residual-post.L2@last": [Operation("orthogonal", {"rotation": rotation})]}
    path = tmp_path / "mine.safetensors"
    made = save_featurizers(given, path, model="gpt2", task="ioi", variable="output_token")
    assert load_featurizers(path).digest == made.digest
    with pytest.raises(ArtifactError, match="not all stated"):
        save_featurizers(given, tmp_path / "other.safetensors", model="gpt2", task="ioi")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.safetensors"]


def test_nothing_is_overwritten_silently_and_a_folder_never(saved):
    before = load_featurizers(saved).digest
    other = replace(many(), model="other")
    with pytest.raises(UsageError, match="not overwritten"):
        save_featurizers(other, saved)
    assert load_featurizers(saved).digest == before
    if saved.is_dir():
        with pytest.raises(UsageError, match="not overwritten"):
            save_featurizers(other, saved, overwrite=True)
    else:
        save_featurizers(other, saved, overwrite=True)
        assert load_featurizers(saved).model == "other"


def test_what_cannot_be_used_is_not_written(tmp_path):
    bad = replace(many(), model="")
    for name in ("a.safetensors", "a"):
        with pytest.raises(ArtifactError):
            save_featurizers(bad, tmp_path / name)
        with pytest.raises(ArtifactError, match="not JSON"):
            save_featurizers(replace(many(), meta={"x": {1, 2}}), tmp_path / name)
        with pytest.raises(ArtifactError, match="manifest takes"):
            save_featurizers(replace(many(), meta={"x": "y" * 2**24}), tmp_path / name)
    with pytest.raises(UsageError, match="names no format"):
        save_featurizers(many(), tmp_path / "a.pt")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_finished_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(MibenchError, match="No space"):
        save_featurizers(many(), tmp_path / "folder")
    assert not list(tmp_path.iterdir())


def test_a_site_without_a_selection_or_with_null_is_refused(tmp_path):
    def none(manifest, tensors):
        manifest["sites"][0]["select"] = None

    def missing(manifest, tensors):
        del manifest["sites"][0]["select"]

    for change in (none, missing):
        save_featurizers(many(), tmp_path / "one.safetensors", overwrite=True)
        with pytest.raises(ArtifactError, match=r"(?s)not understood.*select"):
            load_featurizers(rewritten(tmp_path / "one.safetensors", change))


def _set(*keys_and_value):
    *keys, value = keys_and_value

    def change(manifest, tensors):
        place = manifest
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value

    return change


def _tensor(name, array):
    return lambda manifest, tensors: tensors.__setitem__(name, array)


def _wrong_indices(array):
    def change(manifest, tensors):
        entry = next(one for one in manifest["sites"] if one["site"] == "residual-post.L3@first")
        tensors[entry["select"]["indices"]] = array

    return change


HOSTILE = {
    "version": (_set("schema_version", 2), "schema version 2"),
    "unknown field": (_set("code", "import os"), "not understood"),
    "no model": (_set("model", ""), "The model is"),
    "kind": (_set("sites", 0, "operations", 0, "kind", "exec"), "no kind"),
    "site": (_set("sites", 0, "site", "../../x"), "not the name of a site"),
    "no operation": (_set("sites", 0, "operations", []), "0 operations"),
    "role": (_set("sites", 0, "operations", 0, "tensors", {"mean": "tensor00000"}), ""),
    "missing tensor": (lambda manifest, tensors: tensors.pop("tensor00000"), "do not belong together"),
    "extra tensor": (_tensor("more", np.ones(3)), "do not belong together"),
    "half": (_tensor("tensor00000", np.ones(6, np.float16)), "F16"),
    "three dimensions": (_tensor("tensor00000", np.ones((1, 1, 6))), "vectors and matrices"),
    "nan": (_tensor("tensor00000", np.full(6, np.nan)), ""),
    "negative index": (_wrong_indices(np.array([-1])), "selects feature -1"),
    "index twice": (_wrong_indices(np.array([1, 1])), "twice"),
    "large index": (_wrong_indices(np.array([99])), "99 of"),
    "float index": (_wrong_indices(np.array([1.0])), "selects by"),
    "index matrix": (_wrong_indices(np.array([[1]])), "selects by"),
    "mask as indices": (_wrong_indices(np.array([True])), "selects by"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_file_that_lies_is_refused_with_what_why_and_do(tmp_path, case):
    change, why = HOSTILE[case]
    save_featurizers(many(), tmp_path / "one.safetensors")
    with pytest.raises(ArtifactError, match=f"(?s)cannot be used as featurizers.*{why}"):
        load_featurizers(rewritten(tmp_path / "one.safetensors", change))


@pytest.mark.parametrize("content", [b"", b"\0" * 8, b"\xff" * 64, b"PK\3\4", (2**62).to_bytes(8, "little") + b"{}"])
def test_a_damaged_file_is_refused(tmp_path, content):
    (tmp_path / "x.safetensors").write_bytes(content)
    assert not is_native(tmp_path / "x.safetensors")
    with pytest.raises(ArtifactError, match="safetensors file"):
        load_featurizers(tmp_path / "x.safetensors")


def test_a_damaged_folder_is_refused(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(ArtifactError, match=r"has no manifest.json"):
        load_featurizers(folder)
    for text in (b"", b"[" * 100_000, b"\xff\xfe", b"[]", b'{"schema_version": 1}'):
        (folder / "manifest.json").write_bytes(text)
        (folder / "weights.safetensors").write_bytes(b"")
        with pytest.raises(ArtifactError, match="cannot be used as featurizers"):
            load_featurizers(folder)


def test_a_tensor_larger_than_the_limit_is_refused_before_it_is_read(tmp_path, monkeypatch):
    save_featurizers(many(), tmp_path / "one.safetensors")
    monkeypatch.setattr("mibench.artifacts.featurizers.native.MAX_ENTRIES", 60)
    with pytest.raises(ArtifactError, match=r"\[6, 11\]|\[11, 6\]"):
        load_featurizers(tmp_path / "one.safetensors")
    monkeypatch.setattr("mibench.artifacts.featurizers.native.MAX_BYTES", 60)
    with pytest.raises(ArtifactError, match="the limit is 60"):
        load_featurizers(tmp_path / "one.safetensors")


def test_a_file_of_something_else_is_refused(tmp_path):
    save_file({"a": np.ones(2)}, tmp_path / "x.safetensors")
    with pytest.raises(ArtifactError, match="no 'mibench' entry"):
        load_featurizers(tmp_path / "x.safetensors")
    for path in (tmp_path / "none.safetensors", tmp_path / "x.pt"):
        with pytest.raises(UsageError, match="no file of featurizers"):
            load_featurizers(path)


def test_featurizers_are_told_from_circuit_scores_by_their_header(saved, tmp_path):
    assert is_native(saved)
    save_file({"a": np.ones(2)}, tmp_path / "x.safetensors", metadata={"mibench": '{"level": "edge"}'})
    assert not is_native(tmp_path / "x.safetensors")
    assert not is_native(tmp_path)
    assert not is_native(tmp_path / "none.safetensors")


def test_damaged_bytes_give_featurizers_or_an_artifact_error_and_nothing_else(tmp_path):
    path, rng = tmp_path / "one.safetensors", np.random.default_rng(0)
    save_featurizers(many(), path)
    whole = path.read_bytes()
    refused = 0
    for _ in range(60):
        damaged = bytearray(whole)
        for place in rng.integers(0, 1500 if rng.random() < 0.5 else len(whole), 3):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged[: None if rng.random() < 0.7 else rng.integers(len(whole))])
        try:
            load_featurizers(path)
        except ArtifactError:
            refused += 1
    assert refused > 40
