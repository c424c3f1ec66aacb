"""The pickle of a configuration is read as data: what is in it comes back, and nothing in it ever runs."""

from __future__ import annotations

import os
import pickle  # noqa: TID251  the files under test are pickles
import pickletools
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lens_models import HookedTransformerConfig, lens_fields, pickled_config

from mibench.core.errors import ModelError, UsageError
from mibench.models.interpbench.inert import CONFIG_CLASS, Inert
from mibench.models.interpbench.pickle_fields import MAX_BYTES, MAX_OPCODES, MAX_VALUES, fields_of, pickled_fields

GOOD = pickled_config(lens_fields())
CONFIG = b"c" + CONFIG_CLASS.replace(" ", "\n").encode() + b"\n"
OPCODES = {opcode.name: opcode.code.encode("latin-1") for opcode in pickletools.opcodes}


def refuse(content: bytes) -> ModelError:
    with pytest.raises(ModelError) as caught:
        fields_of(content)
    assert caught.value.why
    return caught.value


def field(value: bytes) -> bytes:
    """A pickled dict with one field, whose value these opcodes push."""
    return b"\x80\x04}\x8c\x01f" + value + b"s."


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


@pytest.mark.parametrize("as_dict", [True, False])
@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_the_fields_of_a_configuration_come_back(protocol: int, as_dict: bool) -> None:
    fields = lens_fields(attn_types=["global"] * 12, window_size=(1, 2), nested={"a": [True, None]})
    found = fields_of(pickled_config(fields, protocol, as_dict=as_dict))
    device, dtype = found.pop("device"), found.pop("dtype")
    assert found == {name: value for name, value in fields.items() if name not in {"device", "dtype"}}
    assert (device.name, device.args, dtype.name, dtype.args) == ("torch device", ("cpu",), "torch float32", None)
    assert {name: type(value) for name, value in found.items() if type(value) is np.float64} == {}


@pytest.mark.parametrize("value", [np.float32(0.5), np.float64(-2), np.int64(7), np.int32(-7), np.bool_(True)])
def test_a_numpy_scalar_is_its_number(value: Any) -> None:
    found = fields_of(pickle.dumps({"f": value}))["f"]
    assert found == value.item()
    assert type(found) is type(value.item())


@pytest.mark.parametrize("value", [np.complex128(1), np.float16(1), np.str_("x"), np.ones(2), np.uint8(1)])
def test_other_numpy_values_are_refused(value: Any) -> None:
    assert "numpy" in refuse(pickle.dumps({"f": value})).why.lower()


def test_a_numpy_scalar_of_another_byte_order_is_refused() -> None:
    little = pickle.dumps({"f": np.float64(1)})
    assert little.count(b"\x8c\x01<") == 1
    refuse(little.replace(b"\x8c\x01<", b"\x8c\x01>"))


class Harmful:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.mark}",)


def harmful(mark: Path) -> dict[str, bytes]:
    shell, system = text(f"touch {mark}"), b"cposix\nsystem\n"
    made = b"\x80\x02" + CONFIG + b")\x81"
    dumped = {f"protocol {protocol}": pickle.dumps(Harmful(mark), protocol) for protocol in range(6)}
    return {
        **dumped,
        "GLOBAL and REDUCE": system + shell + b"\x85R.",
        "STACK_GLOBAL and REDUCE": b"\x80\x04" + text("os") + text("system") + b"\x93" + shell + b"\x85R.",
        "INST": b"(" + shell + b"iposix\nsystem\n.",
        "OBJ": b"(" + system + shell + b"o.",
        "NEWOBJ": b"\x80\x02csubprocess\nPopen\n" + b"]" + text("touch") + b"a" + text(str(mark)) + b"a\x85\x81.",
        "BUILD with __setstate__": made + b"}" + text("__setstate__") + system + b"sb" + shell + b"b.",
        "in a field": made + b"}" + text("n_layers") + system + shell + b"\x85Rsb.",
        "in a key": b"\x80\x02}" + system + shell + b"\x85RK\x01s.",
        "in a device": b"ctorch\ndevice\n" + system + shell + b"\x85R\x85R.",
        "eval": b"cbuiltins\neval\n" + text(f"open({str(mark)!r}, 'w')") + b"\x85R.",
        "exec of Python 2": b"c__builtin__\nexec\n" + text(f"open({str(mark)!r}, 'w')") + b"\x85R.",
        "torch.load": b"ctorch\nload\n" + text(str(mark)) + b"\x85R.",
        "numpy.save": b"cnumpy\nsave\n" + text(str(mark)) + b"K\x01\x86R.",
    }


@pytest.mark.parametrize("name", harmful(Path("x")))
def test_nothing_in_a_pickle_runs(name: str, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    error = refuse(harmful(mark)[name])
    assert "nothing is run" in error.do
    assert not mark.exists()


@pytest.mark.parametrize("name", ["protocol 4", "GLOBAL and REDUCE", "STACK_GLOBAL and REDUCE", "INST", "OBJ", "eval"])
def test_the_same_pickles_do_run_when_they_are_unpickled(name: str, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    pickle.loads(harmful(mark)[name])
    assert mark.exists()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"cos\nsystem\n.", "os.system"),
        (b"\x80\x04" + text("os.path") + text("join") + b"\x93.", "os.path.join"),
        (b"\x80\x04" + text("torch") + text("device.__class__") + b"\x93.", "torch.device.__class__"),
        (CONFIG[:-1] + b".__init__\n.", "HookedTransformerConfig.__init__"),
        (b"ccopyreg\n_reconstructor\n.", "copyreg._reconstructor"),
        (b"c_codecs\nencode\n.", "_codecs.encode"),
        (b"c" + b"m" * 500 + b"\nn\n.", "mmmm …"),
    ],
)
def test_a_name_that_no_configuration_holds_is_told(content: bytes, name: str) -> None:
    assert name in refuse(content).why


@pytest.mark.parametrize(
    "content",
    [
        CONFIG + b")R.",
        CONFIG + b"K\x01\x85\x81.",
        b"ctorch\ndevice\n)\x81.",
        b"ctorch\nfloat32\n)R.",
        b"K\x01)R.",
        b"ctorch\ndevice\nK\x01R.",
        b"ctorch\ndevice\n)R)R.",
        CONFIG + b"}b.",
        CONFIG + b")\x81)b.",
        CONFIG + b")\x81}b}b.",
        b"ctorch\ndevice\n)R}b.",
        b"}}b.",
        b"cnumpy\ndtype\n)R)b)b.",
        b"cnumpy._core.multiarray\nscalar\n)R.",
        b"cnumpy._core.multiarray\nscalar\nK\x01K\x02\x86R.",
        b"\x80\x04K\x01K\x02\x93.",
    ],
)
def test_calls_and_states_that_no_configuration_needs_are_refused(content: bytes) -> None:
    refuse(content)


ARGUMENTS = {
    "EXT1": b"\x01", "EXT2": b"\x01\x00", "EXT4": b"\x01\x00\x00\x00", "PERSID": b"id\n", "INST": b"a\nb\n",
    "BYTEARRAY8": bytes(8), "STRING": b"'a'\n", "BINSTRING": bytes(4), "SHORT_BINSTRING": b"\x00",
    "BINBYTES8": bytes(8),
}  # fmt: skip
FORBIDDEN = (
    *ARGUMENTS, "BINPERSID", "OBJ", "NEWOBJ_EX", "NEXT_BUFFER", "READONLY_BUFFER", "EMPTY_SET", "ADDITEMS",
    "FROZENSET", "DUP", "POP", "POP_MARK",
)  # fmt: skip


@pytest.mark.parametrize("name", FORBIDDEN)
def test_an_opcode_that_no_configuration_needs_is_told(name: str) -> None:
    content = b"\x80\x05(}" + OPCODES[name] + ARGUMENTS.get(name, b"") + b"."
    assert f"The opcode {name} " in refuse(content).why


def bomb(levels: int, copies: int) -> bytes:
    """A list of lists, each of which holds the one before a number of times, by reference."""
    content = b"(]\x94"
    for level in range(levels):
        content += b"](" + (b"h" + bytes([level])) * copies + b"e\x94"
    return content + b"l"


def deep(opcodes: bytes, times: int) -> bytes:
    return b"N" + opcodes * times


@pytest.mark.parametrize(
    "value",
    {
        "memo bomb": bomb(60, 2),
        "wide memo bomb": bomb(4, 100),
        "a list in itself": b"]\x94h\x00a",
        "a dict in itself": b"}\x94" + text("f") + b"h\x00s",
        "deep tuples": deep(b"\x85", MAX_OPCODES - 100),
        "deep lists": b"]" * 20_000 + b"a" * 19_999,
        "deep devices": b"N" + b"\x85" * 30,
        "too many values": b"](" + b"N" * (MAX_VALUES + 1) + b"e",
    }.values(),
)
def test_what_is_too_deep_or_too_much_is_refused(value: bytes) -> None:
    assert "nested more than" in refuse(field(value)).why


@pytest.mark.parametrize(
    "value",
    [
        b"\x8b" + struct.pack("<i", 100_000) + b"\x7f" * 100_000,
        b"\x8a\x09" + b"\x7f" * 9,
        b"I" + b"9" * 4000 + b"\n",
        b"I" + b"9" * 40_000 + b"\n",
        b"L" + b"9" * 40 + b"L\n",
        text("x" * 5000),
        b"\x8d" + struct.pack("<Q", 2**62) + b"x",
        b"\x8d" + struct.pack("<Q", 2**64 - 1) + b"x",
        b"B" + struct.pack("<I", 2**31) + b"x",
        b"C\x01x",
        b"B" + struct.pack("<I", 5000) + b"x" * 5000,
        b"V\\ud8zz\n",
        b"Fnothing\n",
        b"j\xff\xff\xff\xff",
        b"h\x07",
        b"\x80\xff",
    ],
)  # fmt: skip
def test_huge_and_damaged_values_are_refused(value: bytes) -> None:
    refuse(field(value))


@pytest.mark.parametrize(
    "content",
    [
        b"", b".", b"N", b"NN.", b"(.", b"N(.", b"t.", b"\x85.", b"R.", b"b.", b"a.", b"s.", b"u.", b"e.", b"l.",
        b"d.", b"p0\n.", b"\x94.", b"N(\x85.", b"N(a.", b"Na.", b"NNa.", b"}NNs.", b"}K\x01Ns.", b"](NNu.", b"}(Nu.",
        b"(Nd.", b"(K\x01Nd.", b"N.", b"].", b"K\x01.", b"ctorch\nfloat32\n.", b"\xff.", CONFIG + b")\x81.",
    ],
)  # fmt: skip
def test_what_ends_or_begins_wrongly_is_refused(content: bytes) -> None:
    refuse(content)


def test_every_cut_off_configuration_is_refused() -> None:
    for end in range(0, len(GOOD) - 1, 3):
        refuse(GOOD[:end])


def test_too_many_opcodes_are_refused() -> None:
    assert str(MAX_OPCODES) in refuse(b"(" + b"N" * MAX_OPCODES).why


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cfg.pkl"
    with path.open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    with pytest.raises(ModelError, match="not read") as caught:
        pickled_fields(path)
    assert str(MAX_BYTES + 1) in caught.value.why


def test_a_file_that_is_not_there_is_a_wrong_command(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        pickled_fields(tmp_path / "cfg.pkl")


def test_a_file_is_read_as_its_bytes_are(tmp_path: Path) -> None:
    (tmp_path / "cfg.pkl").write_bytes(GOOD)
    assert pickled_fields(tmp_path / "cfg.pkl")["d_model"] == 64


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_changed_configuration_is_data_or_refused(changes: list[tuple[int, int]]) -> None:
    content = bytearray(GOOD)
    for place, byte in changes:
        content[place] = byte
    only_data_or_refused(bytes(content))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40).map(lambda tail: b"\x80\x04" + tail + b"."))
def test_any_bytes_are_data_or_refused(content: bytes) -> None:
    only_data_or_refused(content)


def only_data_or_refused(content: bytes) -> None:
    try:
        fields = fields_of(content)
    except ModelError:
        return
    allowed = (str, int, float, bool, type(None), list, tuple, dict, Inert)
    assert all(type(value) in allowed for value in fields.values())


def test_the_stand_in_of_these_tests_is_named_as_the_published_class() -> None:
    assert f"{HookedTransformerConfig.__module__} {HookedTransformerConfig.__name__}" == CONFIG_CLASS
    assert CONFIG_CLASS.split()[1].encode() in GOOD
