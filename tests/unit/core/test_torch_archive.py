"""Files of torch.save, read without torch: the same values, or an error that names what is refused."""

from __future__ import annotations

import collections
import io
import os
import struct
import subprocess
import sys
import textwrap
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mibench.core.errors import ArtifactError
from mibench.core.torch_archive.limits import Limits
from mibench.core.torch_archive.read import load_arrays, read_torch
from mibench.core.torch_archive.tensors import Tensor

ROOT = Path(__file__).parents[3]
DTYPES = [
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128),
    *(torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.bool),
]


def numbers(dtype, *shape, seed=0):
    values = 100 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return values > 0 if dtype is torch.bool else values.to(dtype)


def same(found, expected):
    """Whether what was read is what torch has, bit for bit."""
    if isinstance(expected, torch.Tensor):
        wide = expected.detach()
        wide = (wide.float() if wide.dtype is torch.bfloat16 else wide).numpy()
        if wide.dtype == np.bool_:
            # Any byte but 0 means true.
            wide = wide.view(np.uint8) != 0
        fits = isinstance(found, np.ndarray) and found.dtype == wide.dtype and found.shape == wide.shape
        return fits and np.array(found).tobytes() == np.array(wide).tobytes()
    if isinstance(expected, dict):
        return (
            isinstance(found, dict)
            and list(found) == list(expected)
            and all(map(same, found.values(), expected.values()))
        )
    if isinstance(expected, list | tuple):
        return type(found) is type(expected) and len(found) == len(expected) and all(map(same, found, expected))
    return type(found) is type(expected) and (found == expected or found != found)


BASE = numbers(torch.float32, 6, 7)
TWICE = [1, BASE]
ZOO = {
    **{str(dtype): numbers(dtype, 3, 4) for dtype in DTYPES},
    "special": torch.tensor([float("nan"), float("inf"), -float("inf"), -0.0, 1e-45]),
    "special bfloat16": torch.tensor([float("nan"), float("inf"), -0.0, 1e-40]).bfloat16(),
    "0-d": torch.tensor(3.5),
    "empty": torch.empty(0),
    "empty of three": torch.empty(2, 0, 3, dtype=torch.int64),
    "transposed": BASE.T,
    "sliced": BASE[1:5:2, 3:],
    "diagonal": BASE.diagonal(),
    "expanded": torch.ones(1).expand(4, 5),
    "overlapping": BASE.as_strided((4, 4), (1, 2), 3),
    "of one row": BASE[2:3].as_strided((1, 7), (10**6, 1), 14),
    "five dimensions": numbers(torch.int16, 2, 1, 3, 1, 2),
    "shared": {"a": BASE, "b": BASE[2], "c": [BASE.T, (BASE[:, 1],)]},
    "nested": {
        "x": [1, -1, 2**31, -(2**31), 2**40, -(2**70), 0.1, float("inf"), True, False, None, "ü", ""],
        3: {None: ()},
    },
    "same list twice": [TWICE, TWICE, {"again": TWICE}],
    "ordered": collections.OrderedDict(a=BASE, b=1),
    "state dict": torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).state_dict(),
    "parameter": torch.nn.Parameter(numbers(torch.float32, 2, 2)),
    "needs gradient": torch.ones(2, requires_grad=True),
    "tuple": tuple(range(5)),
    "long list": list(range(3000)),
}


@pytest.mark.parametrize("name", ZOO)
def test_what_torch_saves_is_read_bit_for_bit(tmp_path, name):
    path = tmp_path / "a.pt"
    torch.save(ZOO[name], path)
    assert same(load_arrays(path), torch.load(path, weights_only=True))


def test_a_whole_zoo_in_one_file_is_read(tmp_path):
    torch.save(ZOO, tmp_path / "a.pt")
    found = load_arrays(tmp_path / "a.pt")
    assert same(found, torch.load(tmp_path / "a.pt", weights_only=True))
    assert np.shares_memory(found["shared"]["a"], found["shared"]["c"][0])
    assert found["same list twice"][0] is found["same list twice"][2]["again"]
    with pytest.raises(ValueError, match="read-only"):
        found["0-d"][...] = 1


def test_tensors_say_what_they_are_before_any_number_is_read(tmp_path):
    torch.save({"a": BASE.T.bfloat16(), "b": torch.ones(1).expand(2**40, 64)}, tmp_path / "a.pt")
    found = read_torch(tmp_path / "a.pt")
    first, second = found["a"], found["b"]
    assert isinstance(first, Tensor)
    assert (first.dtype, first.shape, first.is_contiguous, first.repeats) == ("bfloat16", (7, 6), False, False)
    assert (second.shape, second.repeats, second.n_bytes) == ((2**40, 64), True, 2**48)
    with pytest.raises(ArtifactError) as caught:
        load_arrays(tmp_path / "a.pt")
    assert "beyond the limit" in caught.value.why


@pytest.mark.parametrize("value", ["sliced", "transposed", "0-d", "empty of three", "expanded", "of one row"])
def test_contiguity_is_what_torch_says(tmp_path, value):
    torch.save(ZOO[value], tmp_path / "a.pt")
    assert read_torch(tmp_path / "a.pt").is_contiguous == ZOO[value].is_contiguous()


def repacked(path, target, *, big_endian=False, parts=(), **changes):
    """The same archive with other contents of some parts."""
    compress = changes.pop("compress", zipfile.ZIP_STORED)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w", compress) as new:
        for entry in old.infolist():
            name = entry.filename.partition("/")[2]
            change = {"data.pkl": changes.get("instructions"), "data/0": changes.get("numbers")}.get(name)
            if big_endian and name == "byteorder":
                change = b"big"
            new.writestr(entry.filename, old.read(entry) if change is None else change)
        for name, content in parts:
            new.writestr(f"{path.stem}/{name}", content)
    return target


@pytest.fixture
def whole(tmp_path):
    torch.save({"a": BASE}, tmp_path / "whole.pt")
    return tmp_path / "whole.pt"


def refusal(path, limits=None) -> str:
    with pytest.raises(ArtifactError, match="cannot be read") as caught:
        load_arrays(path, limits)
    return caught.value.why


def test_numbers_with_the_other_byte_order_are_read(tmp_path, whole):
    swapped = BASE.numpy().astype(">f4").tobytes()
    path = repacked(whole, tmp_path / "b.pt", big_endian=True, numbers=swapped)
    assert same(load_arrays(path), {"a": BASE})
    assert "byte order" in refusal(_with_order(whole, tmp_path / "c.pt"))


def _with_order(whole, target):
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            new.writestr(entry.filename, b"middle" if entry.filename.endswith("byteorder") else old.read(entry))
    return target


def test_any_byte_but_0_is_true(tmp_path):
    torch.save({"a": torch.tensor([True, False, True])}, tmp_path / "a.pt")
    path = repacked(tmp_path / "a.pt", tmp_path / "b.pt", numbers=b"\x02\x00\xff")
    found = load_arrays(path)["a"]
    assert found.view(np.uint8).tolist() == [1, 0, 1]


class Payload:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (collections.Counter(), "collections Counter"),
        (np.zeros(2), "numpy"),
        (bytearray(8), "bytearray"),
        ({1, 2}, "set"),
        (torch.Size([1]), "torch Size"),
        (torch.float32, "torch float32"),
        (torch.device("cpu"), "torch device"),
        (torch.nn.Linear(1, 1), "torch.nn.modules.linear Linear"),
        (torch.randn(2, 2).to_sparse(), "sparse"),
        (torch.empty(2, device="meta"), "meta"),
        (torch.tensor([1.0]).to(torch.float8_e5m2), "_rebuild_tensor_v3"),
        (torch.tensor([1], dtype=torch.uint16), "_rebuild_tensor_v3"),
        (torch.randn(2, dtype=torch.complex64).conj(), "_rebuild_tensor_v2"),
        (torch.ones(2).untyped_storage(), ""),
        ({(1, 2): 3}, "key"),
        ({1.5: 10**200}, "whole number"),
        (b"bytes", "_codecs encode"),
        ("\ud800", "UTF-8"),
    ],
)
def test_what_is_not_plain_data_is_refused_by_name(tmp_path, value, said):
    torch.save({"a": value}, tmp_path / "a.pt")
    assert said in refusal(tmp_path / "a.pt")


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_other_protocols_are_refused(tmp_path, protocol):
    torch.save({"a": BASE}, tmp_path / "a.pt", pickle_protocol=protocol)
    assert f"protocol {protocol}" in refusal(tmp_path / "a.pt")


def test_a_payload_is_never_run(tmp_path):
    marker = tmp_path / "ran"
    for zipped in (True, False):
        torch.save({"a": Payload(f"touch {marker}")}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
        refusal(tmp_path / "a.pt")
    assert not marker.exists()
    torch.load(tmp_path / "a.pt", weights_only=False)
    assert marker.exists()


def test_the_old_format_is_refused_with_a_word_on_it(tmp_path):
    torch.save({"a": BASE}, tmp_path / "a.pt", _use_new_zipfile_serialization=False)
    assert "before 1.6" in refusal(tmp_path / "a.pt")


def test_programs_are_refused(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), tmp_path / "a.pt")
    assert "TorchScript" in refusal(tmp_path / "a.pt")


STORAGE = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x2atQ"
HOOKS = b"\x89ccollections\nOrderedDict\n)R"


def tensor(offset=b"K\x00", shape=b"K\x06K\x07\x86", strides=b"K\x07K\x01\x86", storage=STORAGE, hooks=HOOKS, more=b""):
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + offset + shape + strides + hooks + more + b"tR"


def instructions(value, start=b"\x80\x02"):
    return start + b"}X\x01\x00\x00\x00a" + value + b"s."


def test_instructions_written_by_hand_are_those_of_torch(tmp_path, whole):
    path = repacked(whole, tmp_path / "b.pt", instructions=instructions(tensor()))
    assert same(load_arrays(path), {"a": BASE})
    assert same(load_arrays(path), torch.load(path, weights_only=True))


HUGE, HUNDRED, NOTHING = b"\x8a\x08" + b"\xff" * 7 + b"\x3f" + b"K\x07\x86", b"(" + b"K\x01" * 100 + b"t", b"K\x00\x85"
INTEGERS = STORAGE.replace(b"Float", b"Int")
HOSTILE = {
    "beyond the storage": (tensor(offset=b"K\x01"), "goes beyond"),
    "a far stride": (tensor(strides=b"J\xff\xff\xff\x7fK\x01\x86"), "goes beyond"),
    "a negative stride": (tensor(strides=b"J\xff\xff\xff\xffK\x01\x86"), "none can have"),
    "a negative offset": (tensor(offset=b"J\xff\xff\xff\xff"), "none can have"),
    "a shape of text": (tensor(shape=b"X\x01\x00\x00\x006K\x07\x86"), "none can have"),
    "a shape of truth": (tensor(shape=b"\x88K\x07\x86"), "none can have"),
    "one stride": (tensor(strides=b"K\x01\x85"), "none can have"),
    "a huge shape": (tensor(shape=HUGE, strides=b"K\x00K\x00\x86"), "claims the shape"),
    "a hundred dimensions": (tensor(shape=HUNDRED, strides=HUNDRED), "none can have"),
    "an offset behind an empty tensor": (tensor(offset=b"K\x2b", shape=NOTHING, strides=NOTHING), "goes beyond"),
    "no storage": (tensor(storage=b"K\x00"), "_rebuild_tensor_v2"),
    "metadata": (tensor(more=b"}X\x03\x00\x00\x00neg\x88s"), "_rebuild_tensor_v2"),
    "hooks": (tensor(hooks=b"\x89}K\x01K\x02s"), "_rebuild_tensor_v2"),
    "another storage": (tensor(storage=STORAGE.replace(b"\x000X", b"\x007X")), "no part 'data/7'"),
    "a longer storage": (tensor(storage=STORAGE.replace(b"K\x2a", b"K\x2b")), "168 bytes; 43 numbers"),
    "a negative storage": (tensor(storage=STORAGE.replace(b"K\x2a", b"J\xff\xff\xff\xff")), "names a storage"),
    "a storage of two types": (b"]" + tensor() + b"a" + tensor(storage=INTEGERS) + b"a", "of float32 and of int32"),
    "a storage of quantised numbers": (tensor(storage=STORAGE.replace(b"Float", b"QInt8")), "torch QInt8Storage"),
    "a storage by itself": (STORAGE, "Storage by itself"),
    "a function by itself": (b"ctorch._utils\n_rebuild_tensor_v2\n", "Maker by itself"),
    "a type by itself": (b"ctorch\nFloatStorage\n", "StorageType by itself"),
    "a storage that is no tuple": (b"K\x01Q", "BINPERSID"),
    "a call of a number": (b"K\x01)R", "cannot be called"),
    "a call of a type": (b"ctorch\nFloatStorage\n)R", "cannot be called"),
    "a call without a tuple": (b"ccollections\nOrderedDict\n]R", "cannot be called"),
    "an ordered dict of something": (b"ccollections\nOrderedDict\nK\x01\x85R", "collections OrderedDict"),
    "attributes of a dict": (b"}}b", "BUILD"),
    "attributes of a tensor": (tensor() + b"}b", "BUILD"),
    "a list in itself": (b"]q\x00h\x00a", "inside itself"),
    "a dict in itself through a tuple": (b"}q\x00K\x01h\x00\x85s", "inside itself"),
    "a tuple for a key": (b"}K\x01\x85K\x01s", "tuple for a key"),
    "a tensor for a key": (b"}" + tensor() + b"K\x01s", "Tensor for a key"),
    "a key without a value": (b"}(K\x01u", "no value"),
    "items of no list": (b"K\x01(K\x02e", "no list"),
    "items of no dict": (b"]K\x01K\x02s", "no dict"),
    "nothing noted": (b"h\x07", "noted as 7"),
    "no mark": (b"t", "mark is missing"),
    "deep lists": (b"]" * 200 + b"a" * 199, "100 deep"),
    "a name that does not end": (b"c" + b"x" * 300, "does not end"),
    "a text that is not there": (b"X\xff\xff\xff\xffabc", "end too early"),
    "a long integer": (b"\x8a\xff" + b"\x01" * 255, "whole number of 255 bytes"),
    "a class by the stack": (b"X\x02\x00\x00\x00osX\x06\x00\x00\x00system\x93", "STACK_GLOBAL"),
    "an object": (b"cos\nsystem\n)\x81", "os system"),
    "a new object": (b"ccollections\nOrderedDict\n)\x81", "NEWOBJ"),
    "an instance": (b"(ios\nsystem\n", "INST"),
    "a frame": (b"\x95" + bytes(8), "FRAME"),
    "bytes": (b"C\x01a", "SHORT_BINBYTES"),
    "a registered class": (b"\x82\x01", "EXT1"),
    "an unknown instruction": (b"\xff", "0xff"),
    "a stack of things": (b"K\x01K\x02", "no dict"),
    "an old text": (b"S'x'\n", "STRING"),
    "a global of two lines": (b"cos\nsystem\n", "'os system'"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_instructions_are_refused_and_named(tmp_path, whole, name):
    value, said = HOSTILE[name]
    start = time.process_time()
    assert said in refusal(repacked(whole, tmp_path / "b.pt", instructions=instructions(value)))
    assert time.process_time() - start < 2


@pytest.mark.parametrize("code", [b"", b"\x80\x02", b".", b"K\x01K\x02.", b"(K\x01.", b"\x80\x02N", b"\x80\x07N."])
def test_instructions_that_make_nothing_or_too_much_are_refused(tmp_path, whole, code):
    refusal(repacked(whole, tmp_path / "b.pt", instructions=code))


def test_overlapping_strides_inside_the_storage_are_read_as_torch_does(tmp_path, whole):
    value = tensor(offset=b"K\x03", shape=b"K\x04K\x04\x86", strides=b"K\x01K\x02\x86")
    path = repacked(whole, tmp_path / "b.pt", instructions=instructions(value))
    assert same(load_arrays(path), torch.load(path, weights_only=True))


def test_every_limit_holds(tmp_path, whole):
    assert "the limit is 10" in refusal(whole, Limits(file_bytes=10))
    assert "parts" in refusal(whole, Limits(parts=2))
    assert "instructions take" in refusal(whole, Limits(instruction_bytes=10))
    assert "more than 5 instructions" in refusal(whole, Limits(instructions=5))
    assert "tuples" in refusal(whole, Limits(tuples=1))
    assert "beyond the limit" in refusal(whole, Limits(array_bytes=100))
    torch.save([[[]]], tmp_path / "b.pt")
    assert "2 deep" in refusal(tmp_path / "b.pt", Limits(depth=2))
    assert load_arrays(tmp_path / "b.pt", Limits(depth=3)) == [[[]]]


def test_the_depth_of_shared_lists_counts_wherever_they_are(tmp_path):
    low = [[[[1]]]]
    torch.save([low, [[[low]]]], tmp_path / "a.pt")
    assert "6 deep" in refusal(tmp_path / "a.pt", Limits(depth=6))
    assert load_arrays(tmp_path / "a.pt", Limits(depth=8)) == [low, [[[low]]]]


class TestContainer:
    def test_a_compressed_file_is_refused(self, tmp_path, whole):
        path = repacked(whole, tmp_path / "b.pt", compress=zipfile.ZIP_DEFLATED, parts=[("data/9", bytes(50_000_000))])
        assert "compressed" in refusal(path)

    def test_damage_to_any_number_is_noticed(self, whole):
        content = bytearray(whole.read_bytes())
        place = bytes(content).index(BASE.numpy().tobytes()[:16])
        content[place] ^= 1
        whole.write_bytes(content)
        assert "checksum" in refusal(whole)

    @pytest.mark.parametrize("cut", [0, 1, 21, 22, 23, 76, 98, 99, 500])
    def test_a_file_that_is_cut_short_is_refused(self, whole, cut):
        whole.write_bytes(whole.read_bytes()[:cut])
        refusal(whole)

    def test_something_behind_or_before_the_end_is_refused(self, whole):
        content = whole.read_bytes()
        for changed in (
            content + b"x",
            content[:-2] + b"\x01\x00x",
            b"PK\x03\x04" + content,
            content[:-22] + b"x" + content[-22:],
        ):
            whole.write_bytes(changed)
            refusal(whole)

    def test_a_part_twice_and_parts_of_two_archives_are_refused(self, tmp_path, whole):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert "twice" in refusal(repacked(whole, tmp_path / "b.pt", parts=[("data/0", bytes(168))]))
        with zipfile.ZipFile(whole, "a") as archive:
            archive.writestr("other/data.pkl", b"\x80\x02N.")
        assert "folders" in refusal(whole)

    def test_parts_that_overlap_are_refused(self, tmp_path, whole):
        path = repacked(whole, tmp_path / "b.pt")
        content = bytearray(path.read_bytes())
        places = [at for at in range(len(content)) if content[at : at + 4] == b"PK\x01\x02"]
        content[places[1] + 42 : places[1] + 46] = content[places[0] + 42 : places[0] + 46]
        path.write_bytes(content)
        assert refusal(path)
        content[places[0] + 20 : places[0] + 28] = struct.pack("<2I", 2**31, 2**31)
        path.write_bytes(content)
        assert "overlap" in refusal(path)

    def test_no_instructions_are_refused(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
            archive.writestr("a/other", b"")
        assert "no data.pkl" in refusal(tmp_path / "a.pt")

    def test_an_empty_zip_a_text_and_a_folder_are_refused(self, tmp_path):
        for content in (b"PK\x05\x06" + bytes(18), b"nothing" * 100, b"\x80\x02}.", b""):
            (tmp_path / "a.pt").write_bytes(content)
            refusal(tmp_path / "a.pt")
        refusal(tmp_path)
        refusal(tmp_path / "absent")


def saved(value) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


SMALL = {
    "w": BASE[:2, ::2], "b": numbers(torch.bfloat16, 3), "f": torch.tensor([True, False]), "n": [1, (2.5, None)],
    "s": torch.nn.Linear(2, 1).state_dict(),
}  # fmt: skip
SAVED = saved(SMALL)
EDITS = st.lists(
    st.tuples(st.sampled_from(["set", "cut", "add", "copy"]), st.floats(0, 1), st.integers(0, 255), st.floats(0, 1)),
    min_size=1,
    max_size=6,
)


def edited(content: bytes, edits) -> bytes:
    for kind, where, value, other in edits:
        at, to = int(where * len(content)), int(other * len(content))
        if kind == "set":
            content = content[:at] + bytes([value]) + content[at + 1 :]
        elif kind == "cut":
            content = content[:at] + content[at + 1 + value % 8 :]
        elif kind == "add":
            content = content[:at] + bytes([value]) + content[at:]
        else:
            content = content[:at] + content[to : to + 1 + value % 32] + content[at:]
    return content


def agrees_with_torch(path: Path) -> None:
    """What is read is what torch reads, where both do; nothing but the declared error is raised."""
    try:
        found = load_arrays(path)
    except ArtifactError:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = torch.load(path, weights_only=True)
        except Exception:  # noqa: BLE001 - torch raises anything
            return
    assert same(found, expected)


def mutated_files(folder: Path, edits) -> None:
    path = folder / "a.pt"
    path.write_bytes(edited(SAVED, edits))
    agrees_with_torch(path)
    with zipfile.ZipFile(io.BytesIO(SAVED)) as old, zipfile.ZipFile(path, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            new.writestr(entry.filename, edited(content, edits) if entry.filename.endswith("data.pkl") else content)
    agrees_with_torch(path)


@settings(max_examples=150, deadline=None)
@given(EDITS)
def test_mutated_files_are_refused_or_read_as_torch_does(tmp_path_factory, edits):
    mutated_files(tmp_path_factory.mktemp("a"), edits)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@settings(max_examples=20_000, deadline=None)
@given(EDITS)
def test_many_mutated_files_are_refused_or_read_as_torch_does(tmp_path_factory, edits):
    mutated_files(tmp_path_factory.getbasetemp(), edits)


CODES = b"\x80\x02(N\x88\x89JKM\x8aGXqrhj]ae}su)\x85\x86\x87tcRbQ.\x00\x01"


PIECES = [*(bytes([one]) for one in CODES), STORAGE, tensor(), HOOKS, b"K\x01", b"X\x01\x00\x00\x00a"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@settings(max_examples=10_000, deadline=None)
@given(st.lists(st.sampled_from(PIECES)))
def test_instructions_at_random_are_refused_or_read_as_torch_does(tmp_path_factory, codes):
    folder = tmp_path_factory.getbasetemp()
    (folder / "whole.pt").write_bytes(saved({"a": BASE}))
    agrees_with_torch(repacked(folder / "whole.pt", folder / "r.pt", instructions=b"\x80\x02" + b"".join(codes) + b"."))


_BOMBS = """
    import re, sys, time
    from pathlib import Path
    from mibench.core.errors import ArtifactError
    from mibench.core.torch_archive.read import load_arrays
    folder = Path(sys.argv[1])
    def peak():
        # Of this program alone: what getrusage says begins with what its parent had.
        return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
    idle = peak()
    for path in sorted(folder.glob("*.pt")):
        start = time.process_time()
        try:
            load_arrays(path)
        except ArtifactError as error:
            print(error.why[:60], file=sys.stderr)
        print(path.stem, round(time.process_time() - start, 2), peak() - idle)
    print("torch" in sys.modules)
"""


def test_bombs_take_little_time_and_memory(tmp_path, whole):
    flat = tensor(shape=b"\x8a\x05\xff\xff\xff\xff\x0fK\x07\x86", strides=b"K\x00K\x01\x86") + b"a"
    bombs = {
        "deep lists": b"]" * 130_000 + b"a" * 129_999,
        "deeper lists": b"]" * 1_000_000 + b"a" * 999_999,
        "deep tuples": b")" + b"\x85" * 1_000_000,
        "flat dicts": b"(" + b"}" * 1_000_000 + b"l",
        "dicts": b"]" + b"(" + b"}" * 200_000 + b"e",
        "marks": b"(" * 2_000_000,
        "strings": b"(" + b"X\x00\x00\x00\x00" * 1_000_000 + b"t",
        "laughs": b"(]" + b"".join(b"q%c](h%ch%ce" % (n, n, n) for n in range(90)) + b"t",
        "many laughs": b"(]" + b"".join(b"q%c](%se" % (n, b"h%c" % n * 1000) for n in range(90)) + b"t",
        "shapes": b"]" + flat * 300,
    }  # fmt: skip
    folder = tmp_path / "bombs"
    folder.mkdir()
    for name, value in bombs.items():
        repacked(whole, folder / f"{name}.pt", instructions=instructions(value))
    with zipfile.ZipFile(folder / "parts.pt", "w") as archive:
        for number in range(60_000):
            archive.writestr(f"a/{number}", b"")
    content = bytearray(whole.read_bytes())
    end = content.rindex(b"PK\x06\x06")
    content[end + 24 : end + 40] = struct.pack("<2Q", 2**40, 2**40)
    (folder / "header.pt").write_bytes(content)
    words = [sys.executable, "-c", textwrap.dedent(_BOMBS), str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT)
    *lines, torch_loaded = done.stdout.splitlines()
    assert torch_loaded == "False"
    assert len(lines) == len(bombs) + 2, done.stdout
    for line in lines:
        seconds, megabytes = map(float, line.split()[-2:])
        assert seconds < 2, line
        assert megabytes < 500, line
