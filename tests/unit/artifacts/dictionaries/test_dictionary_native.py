"""Dictionaries as files: nothing is lost, equal content is equal bytes, and hostile files are refused unread."""

from __future__ import annotations

import contextlib
import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from dictionary_examples import ARCHITECTURES, example
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from mibench.artifacts.dictionaries.dictionary import TrainingFacts
from mibench.artifacts.dictionaries.header import MAX_HEADER
from mibench.artifacts.dictionaries.native import is_native_dictionary, load_native, save_dictionary
from mibench.core.errors import ArtifactError, MibenchError, UsageError

FACTS = TrainingFacts("sotu@1", 10**9, 128, True, False, 3, 31.5, 0.2, (8, 16))


def saved(dictionary, folder, name="d.safetensors"):
    save_dictionary(dictionary, folder / name)
    return folder / name


def parts(path):
    """Metadata, header without them, and the bytes of tensors."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    return json.loads(header.pop("__metadata__")["mibench"]), header, content[8 + length :]


def rewritten(path, values, header, data):
    text = json.dumps({"__metadata__": {"mibench": json.dumps(values)}, **header}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_is_written_is_read(architecture, tmp_path):
    dictionary = example(architecture, scaling="constant", skip=True, d_in=9, method="mine", params={"k": 3})
    dictionary = replace(dictionary, meta={"a": [1, 2.5, None]}, training=replace(FACTS, groups=(1, 2)))
    path = saved(dictionary, tmp_path)
    read = load_native(path)
    for name in ("place", "architecture", "rule", "training", "method", "params", "meta", "digest"):
        assert getattr(read, name) == getattr(dictionary, name)
    assert set(read.tensors) == set(dictionary.tensors)
    for name, array in read.tensors.items():
        np.testing.assert_array_equal(array, dictionary.tensors[name])
    assert is_native_dictionary(path)


def test_a_transcoder_keeps_both_places(tmp_path):
    dictionary = example("jumprelu", d_out=5)
    assert load_native(saved(dictionary, tmp_path)).place == dictionary.place


def test_equal_content_gives_equal_bytes(tmp_path):
    one = example("gated", meta={"a": 1, "b": 2})
    other = replace(one, tensors=dict(reversed(one.tensors.items())), meta={"b": 2, "a": 1})
    assert saved(one, tmp_path, "1.safetensors").read_bytes() == saved(other, tmp_path, "2.safetensors").read_bytes()
    save_dictionary(load_native(tmp_path / "1.safetensors"), tmp_path / "3.safetensors")
    assert (tmp_path / "3.safetensors").read_bytes() == (tmp_path / "1.safetensors").read_bytes()


def test_nothing_is_overwritten_or_left_behind(tmp_path):
    path = saved(example("relu"), tmp_path)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="not overwritten"):
        save_dictionary(example("topk"), path)
    with pytest.raises(ArtifactError):
        save_dictionary(replace(example("relu"), method=""), path, overwrite=True)
    with pytest.raises(UsageError, match="names no dictionary"):
        save_dictionary(example("relu"), tmp_path / "d.npz")
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(UsageError, match="not overwritten"):
        save_dictionary(example("relu"), tmp_path / "folder.safetensors", overwrite=True)
    assert path.read_bytes() == before
    assert sorted(one.name for one in tmp_path.iterdir()) == ["d.safetensors", "folder.safetensors"]
    save_dictionary(example("topk"), path, overwrite=True)
    assert load_native(path).architecture == "topk"


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("schema_version", 2, "schema version 2"),
        ("schema_version", None, "not understood"),
        ("artifact", "circuit", "not understood"),
        ("place", {"model": "m", "hook": "residual-post.L1"}, "not understood"),
        ("place", {"model": "m", "hook": "nowhere.L1", "output": None}, "hook point"),
        ("place", {"model": 3, "hook": "residual-post.L1", "output": None}, "not understood"),
        ("place", {"model": "m" * 300, "hook": "residual-post.L1", "output": None}, "not understood"),
        ("architecture", "sparse", "not understood"),
        ("rule", {"activation": "relu", "pre_bias": 1, "k": None, "scaling": "none", "scale": 1.0}, "not understood"),
        ("rule", {"activation": "relu", "pre_bias": True, "k": "3", "scaling": "none", "scale": 1.0}, "not understood"),
        ("rule", {"activation": "relu", "pre_bias": True, "k": 3, "scaling": "none", "scale": 1.0}, "k is 3"),
        ("rule", {"activation": "topk", "pre_bias": True, "k": -1, "scaling": "none", "scale": 1.0}, "k is -1"),
        ("rule", {"activation": "topk", "pre_bias": True, "k": 99, "scaling": "none", "scale": 1.0}, "keeps 99"),
        ("rule", {"activation": "jumprelu", "pre_bias": True, "k": None, "scaling": "none", "scale": 1.0}, "tensors"),
        ("rule", {"activation": "relu", "pre_bias": True, "k": None, "scaling": "none", "scale": 1e999}, "not under"),
        ("method", ["x"], "not understood"),
        ("meta", {"a": 1e999}, "JSON"),
        ("meta", [1], "not understood"),
        ("code", "print(1)", "not understood"),
    ],
)
def test_a_header_that_says_something_else_is_refused(field, value, why, tmp_path):
    path = saved(example("relu"), tmp_path)
    values, header, data = parts(path)
    with pytest.raises(ArtifactError, match=why) as caught:
        load_native(rewritten(path, {**values, field: value}, header, data))
    assert str(path) in caught.value.what


def test_metadata_that_are_not_ours_are_refused(tmp_path):
    path = tmp_path / "d.safetensors"
    tensors = dict(example("relu").tensors)
    deep = "[" * 100_000
    for metadata in (None, {"mibench": "[]"}, {"mibench": "{"}, {"mibench": deep}, {"mibench": '{"artifact": 1}'}):
        save_file(tensors, path, metadata=metadata)
        assert not is_native_dictionary(path)
        with pytest.raises(ArtifactError):
            load_native(path)


def test_tensors_of_another_type_or_name_are_refused(tmp_path):
    path = saved(example("relu"), tmp_path)
    values, _, _ = parts(path)
    text = {"mibench": json.dumps(values)}
    tensors = example("relu").tensors
    for changed, why in [
        ({"w_enc": tensors["w_enc"].astype(np.float64)}, "'w_enc' is F64"),
        ({"w_enc": tensors["w_enc"].astype(np.float16)}, "'w_enc' is F16"),
        ({"extra": np.zeros(3, np.float32)}, "has the tensors"),
        ({"b_enc": np.full(24, np.nan, np.float32)}, "holds NaN"),
        ({"w_enc": np.ascontiguousarray(tensors["w_enc"].T)}, "has shape"),
    ]:
        save_file({**tensors, **changed}, path, metadata=text)
        with pytest.raises(ArtifactError, match=why):
            load_native(path)
    save_file({name: array for name, array in tensors.items() if name != "b_dec"}, path, metadata=text)
    with pytest.raises(ArtifactError, match="has the tensors"):
        load_native(path)


def entry(header, name, **changed):
    return {**header, name: {**header[name], **changed}}


def test_a_header_that_lies_about_its_tensors_is_refused_before_memory_is_taken(tmp_path):
    path = saved(example("relu"), tmp_path)
    values, header, data = parts(path)
    start, end = header["w_enc"]["data_offsets"]
    huge = 4 * 2**37
    lies = [
        (entry(header, "w_enc", shape=[2**17, 2**20]), "other bytes"),
        (entry(header, "w_enc", shape=[2**17, 2**20], data_offsets=[start, start + huge]), "overlap|take"),
        (entry(header, "w_enc", shape=[-12, -24]), "not understood"),
        (entry(header, "w_enc", shape=[12.0, 24]), "not understood"),
        (entry(header, "w_enc", shape=[True] * 9), "not understood"),
        (entry(header, "w_enc", data_offsets=[end, start]), "other bytes"),
        (entry(header, "w_enc", data_offsets=header["w_dec"]["data_offsets"]), "overlap"),
        (entry(header, "w_enc", dtype="F8_E4M3"), "the type 'F8_E4M3'"),
        (entry(header, "w_enc", dtype=["F32"]), "the type a list"),
        ({**header, "w_enc": "F32"}, "the type None"),
    ]
    tracemalloc.start()
    for lie, why in lies:
        with pytest.raises(ArtifactError, match=why):
            load_native(rewritten(path, values, lie, data))
    assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    tracemalloc.stop()


def test_a_file_of_huge_tensors_is_refused_before_they_are_read(tmp_path):
    path = saved(example("relu"), tmp_path)
    values, _, _ = parts(path)
    d, n, header, end = 2**17, 2**16, {}, 0
    for name, shape in (("b_dec", [d]), ("b_enc", [n]), ("w_dec", [n, d]), ("w_enc", [d, n])):
        size = 4 * int(np.prod(shape, dtype=np.int64))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    rewritten(path, values, header, b"")
    with path.open("r+b") as stream:
        stream.truncate(path.stat().st_size + end)  # A hole: no disk is used.
    with pytest.raises(ArtifactError, match="bytes; the limit is"):
        load_native(path)


def test_headers_too_long_or_cut_short_are_refused(tmp_path):
    path = saved(example("relu"), tmp_path)
    whole = path.read_bytes()
    bomb = (MAX_HEADER + 1).to_bytes(8, "little") + b" " * (MAX_HEADER + 1)
    for content, why in [
        (b"", "0 bytes"),
        (whole[:7], "7 bytes"),
        (whole[:100], "100 bytes"),
        (whole[:-4], "Its tensors take"),
        (whole + b"\0" * 4, "Its tensors take"),
        (b"\xff" * 8 + whole[8:], "too few"),
        (bomb, "header takes"),
        ((2).to_bytes(8, "little") + b"[]", "no object"),
        ((2).to_bytes(8, "little") + b"\xff\xff", "no JSON"),
        ((5).to_bytes(8, "little") + b"[NaN]", "NaN is no number"),
        ((22).to_bytes(8, "little") + b'{"__metadata__": [1] }', "not text"),
    ]:
        path.write_bytes(content)
        assert not is_native_dictionary(path)
        with pytest.raises(ArtifactError, match=why):
            load_native(path)


def test_what_is_no_file_is_no_dictionary(tmp_path):
    assert not is_native_dictionary(tmp_path)
    assert not is_native_dictionary(tmp_path / "no.safetensors")
    assert not is_native_dictionary("\0.safetensors")
    with pytest.raises(UsageError):
        load_native(tmp_path / "no.safetensors")


@given(changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_refused_or_reads_the_same_sizes(changes, tmp_path):
    path = tmp_path / "damaged.safetensors"
    save_dictionary(example("topk", d_in=3, d_sae=5), path, overwrite=True)
    content = bytearray(path.read_bytes())
    length = 8 + int.from_bytes(content[:8], "little")
    for where, byte in changes:
        content[int(where * length)] = byte
    path.write_bytes(bytes(content))
    with contextlib.suppress(MibenchError):
        read = load_native(path)
        assert (read.d_in, read.d_sae) == (3, 5)
