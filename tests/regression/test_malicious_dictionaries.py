"""Dictionaries that are hostile or damaged: refused with an explanation, and nothing in them ever runs."""

from __future__ import annotations

import io
import json
import os
import pickle  # noqa: TID251 - to make hostile files
import shutil
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import foreign_dictionaries as foreign
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from mibench.artifacts.dictionary_files import is_dictionary, load_dictionary, save_dictionary_as
from mibench.core.errors import ArtifactError, DataError, MibenchError, UsageError

MUTATIONS = 80
"""Of each format; the files are small, so that many hit a header."""
EXAMPLE = {"gemma-scope": "jumprelu"}
NAMES = {"native": "d.safetensors", "generic": "d.safetensors", "gemma-scope": "d.npz"}
FOLDERS = ("saelens", "dictionary-learning", "sparsify")
WEIGHTS = {"saelens": "sae_weights.safetensors", "sparsify": "sae.safetensors", "dictionary-learning": "ae.pt"}
CONFIGS = {"saelens": "cfg.json", "sparsify": "cfg.json", "dictionary-learning": "config.json"}


def written(folder, form):
    path = folder / NAMES.get(form, "d")
    save_dictionary_as(foreign.EXAMPLES[EXAMPLE.get(form, "topk")], path, form)
    return path


def refused(path, *words):
    """Load ``path``; the error explains itself, with one of ``words``."""
    with pytest.raises((ArtifactError, DataError)) as caught:
        load_dictionary(path, hook="residual-post.L3", model="gpt2")
    said = str(caught.value)
    assert not words or any(word in said for word in words), said
    explained(caught.value)
    return said


def explained(error):
    assert error.why
    assert error.do


# Torch files: nothing in them is called.


class Payload:
    def __init__(self, flag):
        self.command = f"touch {flag}"

    def __reduce__(self):
        return os.system, (self.command,)


def state():
    dictionary = foreign.EXAMPLES["relu"].tensors
    return OrderedDict(
        {
            "bias": torch.tensor(dictionary["b_dec"]),
            "encoder.weight": torch.tensor(dictionary["w_enc"].T.copy()),
            "encoder.bias": torch.tensor(dictionary["b_enc"]),
            "decoder.weight": torch.tensor(dictionary["w_dec"].T.copy()),
        }
    )


@pytest.fixture
def ae(tmp_path):
    folder = tmp_path / "ae"
    folder.mkdir()
    trainer = {"dict_class": "AutoEncoder", "layer": 3, "lm_name": "gpt2"}
    (folder / "config.json").write_text(json.dumps({"trainer": trainer}))
    torch.save(state(), folder / "ae.pt")
    return folder


def with_instructions(path, instructions, compression=zipfile.ZIP_STORED):
    """The torch file with another ``data.pkl``."""
    with zipfile.ZipFile(path) as archive:
        parts = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(name, instructions if name.endswith("data.pkl") else content)


def test_the_torch_file_before_the_damage_is_fine(ae):
    assert load_dictionary(ae).d_sae == foreign.D_SAE


@pytest.mark.parametrize("place", ["value", "whole", "metadata", "inside"])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_payload_in_a_torch_file_does_not_run(ae, tmp_path, place, protocol):
    flag = tmp_path / "ran"
    payload = Payload(flag)
    if place == "whole":
        found = payload
    else:
        found = state() | {"more": {"value": payload, "inside": [(payload,)], "metadata": 1}[place]}
        found = OrderedDict(found)
        if place == "metadata":
            found._metadata = payload
    torch.save(found, ae / "ae.pt", pickle_protocol=protocol)
    refused(ae, "asks to load", "instruction")
    assert not flag.exists()


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_bare_pickle_is_not_opened(ae, tmp_path, protocol):
    flag = tmp_path / "ran"
    (ae / "ae.pt").write_bytes(pickle.dumps(Payload(flag), protocol))
    refused(ae, "It is no zip file")
    assert not flag.exists()


def test_an_old_torch_file_is_not_opened(ae):
    torch.save(state(), ae / "ae.pt", _use_new_zipfile_serialization=False)
    refused(ae, "It is no zip file")


@pytest.mark.parametrize(
    ("instructions", "word"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "asks to load"),
        (b"c__builtin__\neval\n.", "asks to load"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "instruction"),
        (b"(i__main__\nx\n.", "instruction"),
        (b"\x80\x02\x82\x01.", "instruction"),
        (b"Pabc\n.", "instruction"),
        (b"\x80\x02(" + b"\x85" * 600 + b".", "nothing is there to take"),
        (b"", "end too early"),
        (b"\x80\x02}q", "end too early"),
        (b"\x80\x02K\x01.", "not a dict"),
        (b"\x80\x02}K\x01K\x02s.", "not a dict"),
        (b"\x80\x02}X\x01\x00\x00\x00aK\x02s.", "not an ordinary tensor"),
    ],
)
def test_instructions_that_are_no_state_dict_are_refused(ae, instructions, word):
    with_instructions(ae / "ae.pt", instructions)
    refused(ae, word)


def test_a_compressed_torch_file_is_refused(ae):
    with zipfile.ZipFile(ae / "ae.pt") as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        instructions = archive.read(name)
    with_instructions(ae / "ae.pt", instructions, zipfile.ZIP_DEFLATED)
    refused(ae, "compressed")


def test_a_tensor_that_repeats_few_values_is_refused(ae):
    many = state() | {"encoder.weight": torch.zeros(1).expand(2**20, 2**12)}
    torch.save(OrderedDict(many), ae / "ae.pt")
    refused(ae, "repeats", "bytes in float32")


@pytest.mark.parametrize(
    "value",
    [
        torch.zeros(3, dtype=torch.complex64),
        torch.zeros(2, 2).to_sparse(),
        torch.zeros(3, dtype=torch.bool),
        "text",
        [1],
    ],
)
def test_other_things_than_tensors_of_numbers_are_refused(ae, value):
    torch.save(OrderedDict(state() | {"more": value}), ae / "ae.pt")
    refused(ae)


# Archives of numpy.


def arrays():
    found = foreign.EXAMPLES["jumprelu"].tensors
    return {{"w_enc": "W_enc", "w_dec": "W_dec"}.get(name, name): value for name, value in found.items()}


def archive_of(path, parts, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def npy(value, *, allow_pickle=False):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, value, allow_pickle=allow_pickle)
    return stream.getvalue()


def npy_header(text):
    padded = text + " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode()


def parts(**more):
    return {f"{name}.npy": npy(value) for name, value in arrays().items()} | more


def test_the_archive_before_the_damage_is_fine(tmp_path):
    path = archive_of(tmp_path / "d.npz", parts())
    assert load_dictionary(path, hook="residual-post.L3").d_sae == foreign.D_SAE


def test_an_array_of_objects_is_not_opened(tmp_path):
    flag = tmp_path / "ran"
    array = np.array([Payload(flag)], dtype=object)
    path = archive_of(tmp_path / "d.npz", parts(**{"b_enc.npy": npy(array, allow_pickle=True)}))
    refused(path, "object")
    path = archive_of(tmp_path / "e.npz", parts(**{"b_enc.npy": pickle.dumps(Payload(flag))}))
    refused(path, "not a whole .npz")
    assert not flag.exists()


@pytest.mark.parametrize(
    "name", ["../b_enc.npy", "/etc/b.npy", "a/b.npy", "b_enc", "x.txt", "C:\\b.npy", "b.npy.npy", "…"]
)
def test_odd_names_in_an_archive_are_refused(tmp_path, name):
    refused(archive_of(tmp_path / "d.npz", parts(**{name: npy(np.zeros(3))})), "part named")
    assert [path.name for path in tmp_path.iterdir()] == ["d.npz"]


def test_an_archive_that_grows_is_not_unpacked(tmp_path):
    bomb = npy(np.zeros(2**26 + 1, np.uint8))
    path = archive_of(tmp_path / "d.npz", parts(**{"W_dec.npy": bomb}), zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2**20
    refused(path, "declares")


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1073741824, 1073741824), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -6), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (24, 8, 1, 1), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (24, 8, 99999999999999999999), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (24,), }",
        "{'descr': '<f16', 'fortran_order': False, 'shape': (24,), }",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (24,), }",
        "__import__('os').system('touch ran')",
        "{" * 200,
        "{'shape': (1,)}",
    ],
)
def test_headers_of_arrays_are_checked_before_anything_is_allocated(tmp_path, header):
    content = npy_header(header) + bytes(96)
    refused(archive_of(tmp_path / "d.npz", parts(**{"b_enc.npy": content})))
    assert not Path("ran").exists()


@pytest.mark.parametrize("version", [b"\x03\x00", b"\x09\x00"])
def test_an_unknown_version_of_the_array_format_is_refused(tmp_path, version):
    content = npy(np.zeros(24, np.float32))
    refused(archive_of(tmp_path / "d.npz", parts(**{"b_enc.npy": content[:6] + version + content[8:]})), "version")


def test_too_many_parts_and_unusual_compression_are_refused(tmp_path):
    many = parts(**{f"x{index}.npy": b"" for index in range(40)})
    refused(archive_of(tmp_path / "many.npz", many), "parts")
    refused(archive_of(tmp_path / "odd.npz", parts(), zipfile.ZIP_LZMA), "compressed")


# Safetensors.


def raw_safetensors(path, header, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


def entries():
    """A header and a body that are fine."""
    header, body = {}, b""
    for name, value in foreign.EXAMPLES["topk"].tensors.items():
        span = [len(body), len(body) + value.nbytes]
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": span}
        body += value.tobytes()
    header["__metadata__"] = {"architecture": "topk", "k": "5", "apply_b_dec_to_input": "true"}
    return header, body


def test_the_safetensors_file_before_the_damage_is_fine(tmp_path):
    path = raw_safetensors(tmp_path / "d.safetensors", *entries())
    assert load_dictionary(path, hook="residual-post.L3").d_sae == foreign.D_SAE


@pytest.mark.parametrize("length", [2**63, 2**40, 2**20 + 1, 10**6])
def test_a_header_that_claims_to_be_long_is_refused(tmp_path, length):
    header, body = entries()
    path = raw_safetensors(tmp_path / "d.safetensors", header, body)
    path.write_bytes(struct.pack("<Q", length) + path.read_bytes()[8:])
    refused(path, "header")


def test_a_header_that_is_long_is_refused(tmp_path):
    header, body = entries()
    header["__metadata__"]["more"] = "x" * 2**21
    refused(raw_safetensors(tmp_path / "d.safetensors", header, body), "limit")


@pytest.mark.parametrize("text", [b"[" * 10**5, b'{"a":' * 10**4, b"{}" * 3, b"nul", b"\xff\xfe{}", b'{"a": NaN}'])
def test_a_header_that_is_no_json_is_refused(tmp_path, text):
    refused(raw_safetensors(tmp_path / "d.safetensors", text))


@pytest.mark.parametrize("cut", [0, 4, 8, 60, 300, -1, -100])
def test_a_cut_file_is_refused(tmp_path, cut):
    path = raw_safetensors(tmp_path / "d.safetensors", *entries())
    path.write_bytes(path.read_bytes()[:cut])
    refused(path)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda h: h["b_enc"].update(data_offsets=h["w_enc"]["data_offsets"][:1] * 2), "other bytes"),
        (lambda h: h["b_enc"].update(data_offsets=[0, 96]), "overlap"),
        (lambda h: h["b_enc"].update(data_offsets=[10**9, 10**9 + 96]), "overlap"),
        (lambda h: h["b_enc"].update(data_offsets=[-96, 0]), "not understood"),
        (lambda h: h["b_enc"].update(data_offsets=[2**63, 2**63 + 96]), "not understood"),
        (lambda h: h["b_enc"].update(shape=[2**40, 2**40]), "other bytes"),
        (lambda h: h["b_enc"].update(shape=[24.0]), "not understood"),
        (lambda h: h["b_enc"].update(shape=[True]), "not understood"),
        (lambda h: h["b_enc"].update(dtype="F99"), "type"),
        (lambda h: h["b_enc"].update(dtype=["F32"]), "type"),
        (lambda h: h.update(b_enc=7), "type"),
        (lambda h: h.update(__metadata__={"k": 5}), "metadata"),
        (lambda h: h["w_dec"].update(shape=[24, 4, 2]), "w_dec"),
        (lambda h: h["w_dec"].update(shape=[12, 16]), "w_dec"),
        (lambda h: h["w_dec"].update(shape=[16, 12]), "w_dec"),
    ],
)
def test_headers_that_lie_about_tensors_are_refused(tmp_path, change, word):
    header, body = entries()
    change(header)
    refused(raw_safetensors(tmp_path / "d.safetensors", header, body), word)


def test_a_name_that_comes_twice_is_refused(tmp_path):
    header, body = entries()
    text = json.dumps(header)
    twice = text[:-1] + ', "b_enc": ' + json.dumps(header["b_enc"]) + "}"
    path = raw_safetensors(tmp_path / "d.safetensors", twice.encode(), body)
    assert not is_dictionary(path)
    refused(path, "twice")


@pytest.mark.parametrize("form", ["saelens", "sparsify"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_numbers_that_are_none_are_refused(tmp_path, form, value):
    path = written(tmp_path, form)
    file = path / WEIGHTS[form]
    for name, array in load_file(file).items():
        changed = load_file(file)
        array.reshape(-1)[1] = value
        changed[name] = array
        other = tmp_path / f"{form}.{name}"
        shutil.copytree(path, other)
        save_file(changed, other / WEIGHTS[form])
        refused(other, "NaN", "limit")


def test_a_decoder_that_contradicts_its_biases_is_refused(tmp_path):
    path = written(tmp_path, "saelens")
    tensors = load_file(path / WEIGHTS["saelens"])
    tensors["W_dec"] = np.ascontiguousarray(tensors["W_dec"].T)
    save_file(tensors, path / WEIGHTS["saelens"])
    refused(path, "W_dec")
    sparse = written(tmp_path / "other", "sparsify")
    tensors = load_file(sparse / WEIGHTS["sparsify"])
    tensors["W_dec"] = tensors["W_dec"].reshape(12, 16)
    save_file(tensors, sparse / WEIGHTS["sparsify"])
    refused(sparse, "W_dec")


# Settings.


@pytest.mark.parametrize("form", FOLDERS)
@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1, "a": 2}',
        b"\xff\xfe",
        b"\x00",
        b'{"a": ' + b"1" * 5000 + b"}",
        b'{"a": ' + b"[" * 10**5 + b"]" * 10**5 + b"}",
        b'{"a": ' + b"[" * 30 + b"]" * 30 + b"}",
        b'{"a": "' + b"x" * 2**21 + b'"}',
        b'\xef\xbb\xbf{"a": 1}',
    ],
)
def test_settings_that_are_no_plain_json_are_refused(tmp_path, form, text):
    path = written(tmp_path, form)
    (path / CONFIGS[form]).write_bytes(text)
    refused(path)


ODD = [[], {}, "x\0y", "x" * 300, -1, 2**70, 1e999, 0.5, True, [[1]], {"a": {"b": 1}}, "\ud800", "../../etc"]


@pytest.mark.parametrize("form", FOLDERS)
def test_settings_of_any_type_are_read_or_refused(tmp_path, form):
    path = written(tmp_path, form)
    file = path / CONFIGS[form]
    whole = json.loads(file.read_text())
    parts = [(), *[(name,) for name, value in whole.items() if isinstance(value, dict)]]
    for part in parts:
        inside = whole[part[0]] if part else whole
        for name in inside:
            for odd in ODD:
                changed = json.loads(json.dumps(whole))
                (changed[part[0]] if part else changed)[name] = odd
                file.write_text(json.dumps(changed))
                attempt(path)


def attempt(path):
    """Load what may be anything: it works, or the error explains itself."""
    try:
        load_dictionary(path, hook="residual-post.L3", model="gpt2")
    except (ArtifactError, DataError, UsageError) as error:
        explained(error)


def test_a_long_name_with_a_null_is_shown_in_a_few_characters(tmp_path):
    path = written(tmp_path, "saelens")
    file = path / CONFIGS["saelens"]
    config = json.loads(file.read_text())
    config["metadata"]["hook_name"] = "blocks.1\0" * 10**4
    file.write_text(json.dumps(config))
    assert len(refused(path)) < 1500


# Random damage.


def damaged(content, rng):
    """Some bytes changed, cut out, doubled or added."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        # Half of the damage is where headers are.
        end = len(data) if rng.random() < 0.5 else min(len(data), 700)
        place = int(rng.integers(0, max(end, 1)))
        kind = rng.integers(0, 5)
        if kind == 0:
            data[place : place + 1] = bytes([int(rng.integers(0, 256))])
        elif kind == 1:
            del data[place : place + int(rng.integers(1, 40))]
        elif kind == 2:
            data[place:place] = data[place : place + int(rng.integers(1, 40))]
        elif kind == 3:
            data[place:place] = rng.bytes(int(rng.integers(1, 9)))
        elif len(data) > place:
            data[place] ^= 1 << int(rng.integers(0, 8))
    return bytes(data)


@pytest.mark.parametrize("form", [*NAMES, *FOLDERS])
def test_random_damage_never_ends_in_another_error(tmp_path, form):
    path = written(tmp_path, form)
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    rng, refusals = np.random.default_rng(17), 0
    for index in range(MUTATIONS):
        file = files[index % len(files)]
        content = file.read_bytes()
        file.write_bytes(damaged(content, rng))
        try:
            load_dictionary(path, hook="residual-post.L3", model="gpt2")
        except MibenchError as error:
            refusals += 1
            explained(error)
        file.write_bytes(content)
    assert refusals > MUTATIONS // 4
    assert load_dictionary(path, hook="residual-post.L3", model="gpt2").d_sae == foreign.D_SAE
