"""Hypothesis strategies that damage a valid file: its bytes, the values in it, or the members of an archive."""

from __future__ import annotations

import io
import json
import re
import struct
import warnings
import zipfile
import zlib

import yaml
from hypothesis import strategies as st

ODD_TEXTS = (
    "", " ", "\x00", "a" * 5000, "../../x", "/etc/passwd", "a\u202eb", "é", "\ud7ff", "__class__", "NaN", "1e999",
    "null", "input->logits", "a0.h0", "m0", "last", "residual-post.L1", "residual-post.L99999999999999999999", "{}",
    "[", "%s", "{0}",
)  # fmt: skip
ODD_NUMBERS = (0, -1, 1, 2**31, 2**53, 2**63, -(2**63), 2**64, 10**30, 10**400, 0.5, -0.0, 1e-320, 1e308, True, False)
WORDS = (
    b"{", b"}", b"[", b"]", b'"', b"\\", b":", b",", b"\x00", b"\n", b"\xff", b"NaN", b"-Infinity", b"1e999",
    b"9" * 50, b"-", b"null", b"true", b"!!int ''\n", b"!!bool x", b"!!timestamp x", b"&a ", b"*a", b"<<: ", b"? ",
    b"- ", b"---\n", b"2001-99-99", b"1:" * 200 + b"1.5", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"PK\x01\x02",
    b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"\x93NUMPY", b"\x80\x02", b"\x80\x04\x95", b"PAR1", b"ustar",
    b"[" * 3000, b'{"a":' * 3000, b"((((" * 500,
)  # fmt: skip

_scalars = (
    st.sampled_from(ODD_TEXTS)
    | st.sampled_from(ODD_NUMBERS)
    | st.none()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=12)
)
values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
"""Values of JSON and YAML, odd ones among them."""


@st.composite
def bytes_of(draw, seeds):
    """A valid file with some bytes changed, cut out, doubled, or put in; at times hardly anything of it is left."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 6))):
        # Headers are where most is decided.
        near = draw(st.booleans())
        place = draw(st.integers(0, min(len(data), 400) if near else len(data)))
        place = place if draw(st.booleans()) else max(0, len(data) - place)
        kind = draw(st.integers(0, 6))
        length = draw(st.integers(1, 64))
        if kind == 0:
            data[place : place + 1] = draw(st.binary(min_size=1, max_size=1))
        elif kind == 1:
            del data[place : place + length]
        elif kind == 2:
            data[place:place] = data[place : place + length] * draw(st.integers(1, 3))
        elif kind == 3:
            data[place:place] = draw(st.sampled_from(WORDS))
        elif kind == 4:
            width = draw(st.sampled_from([1, 2, 4, 8]))
            number = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, 2**31 - 1, 2**31, 2**63, 2**64 - 1]))
            data[place : place + width] = (number % 2 ** (8 * width)).to_bytes(
                width, draw(st.sampled_from(["little", "big"]))
            )
        elif kind == 5:
            del data[place:]
        elif data:
            flip = place % len(data)
            data[flip] ^= 1 << draw(st.integers(0, 7))
    return bytes(data)


def _places(value, found=None, place=()):
    """Where values stand in a value: lists of keys, the whole included."""
    found = [] if found is None else found
    found.append(place)
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        if len(found) < 400:
            _places(one, found, (*place, key))
    return found


def _parent(value, place):
    for key in place[:-1]:
        value = value[key]
    return value


@st.composite
def value_of(draw, seeds):
    """A valid value of JSON with some parts replaced, removed, doubled, renamed or wrapped up."""
    value = json.loads(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.sampled_from(_places(value)))
        kind = draw(st.integers(0, 5))
        if not place:
            value = draw(values) if kind == 5 and draw(st.integers(0, 9)) == 0 else value
            continue
        parent, key = _parent(value, place), place[-1]
        if kind <= 1:
            parent[key] = draw(values)
        elif kind == 2:
            del parent[key]
        elif kind == 3:
            parent[key] = [parent[key]] * draw(st.integers(0, 3))
        elif kind == 4 and isinstance(parent, dict):
            parent[draw(st.sampled_from(ODD_TEXTS) | st.text(max_size=8))] = parent.pop(key)
        else:
            parent[key] = {"x": parent[key]}
    return value


JSON_PIECES = (
    "NaN", "-Infinity", "1e999", "-0", "9" * 5000, "1" + "0" * 400, "[" * 3000 + "]" * 3000,
    '{"a":' * 3000 + "1" + "}" * 3000, "[" * 100_000, '{"a": 1, "a": 2}', '"\\ud800"', '"\\u0000"', '"\\q"', "'x'",
    "tru", "01", ".5", "1.", "[,]", "{}", "[]", "null", "\x00", '""', "18446744073709551616", "1e-400", "/* x */",
    "[1" + ",1" * 5000 + "]",
)  # fmt: skip


@st.composite
def json_of(draw, seeds):
    """A valid JSON or YAML text with damaged values, or damaged bytes."""
    if draw(st.integers(0, 3)) == 0:
        return draw(bytes_of(seeds))
    text = json.dumps(draw(value_of(seeds)), ensure_ascii=draw(st.booleans()))
    return _swapped(draw, text, JSON_PIECES).encode("utf-8", "replace")


def _swapped(draw, text, pieces):
    """A text with at most two of its tokens replaced."""
    for _ in range(max(0, draw(st.integers(-2, 2)))):
        found = list(re.finditer(r"[\w.-]+|'[^']*'|\"[^\"]*\"", text))
        if found:
            one = draw(st.sampled_from(found))
            text = text[: one.start()] + draw(st.sampled_from(pieces)) + text[one.end() :]
    return text


YAML_PIECES = (
    "!!int ''", "!!int x", "!!bool x", "!!timestamp x", "!!timestamp ''", "!!float ''", "!!float x", "!!null x",
    "!!binary =", "!!binary é", "!!omap [1]", "!!pairs [1]", "!!set {a}", "!!map [1]", "!!seq {a: 1}", "!!str {a: 1}",
    "!!python/none", "!x y", "2001-99-99", "2001-01-01T99:99:99Z", "2001-01-01 00:00:00 +99:99",
    "0001-01-01 00:00:00 +23:00", "1:" * 200 + "1.5", "1" + ":59" * 30, "0x", "0b", "0o9", "09", "1_000", "._",
    ".inf", ".nan", "0x_", "0b_", "1e999", "9" * 5000, "=", "<<", "~", "? [a]", "&a [*a]", "*a", "{? {a: 1}: 2}",
    "{[a]: 1}", "{2001-01-01: 1}", "{.nan: 1}", "{1: a, 1.0: b, true: c}", "{null: 1}", "{<<: 1}",
    "{<<: [{a: 1}, 2]}", "[" * 1200, "{a: " * 600, "- " * 1000, "|\n  x", ">-", "'", '"\\x"', '"\\ud800"',
    '"\\U00110000"', "@", "`", "%", "\t", "# x", "{__class__: 1}", "!!python/object/apply:os.getcwd []",
    "%TAG ! x:\n", "\ufeff", "\x85", "\u2028",
)  # fmt: skip


@st.composite
def yaml_of(draw, seeds):
    """A valid YAML text, one of its values put in the place of another, or an odd one there; or damaged bytes."""
    if draw(st.integers(0, 3)) == 0:
        return draw(bytes_of(seeds))
    value = draw(value_of([one for one in seeds if one[:1] in b"{["]))
    text = json.dumps(value) if draw(st.booleans()) else yaml.safe_dump(value)
    return _swapped(draw, text, YAML_PIECES).encode("utf-8", "replace")


@st.composite
def lines_of(draw, seeds):
    """Lines of JSON, some of them damaged."""
    lines = draw(st.sampled_from(seeds)).splitlines()
    for place in draw(st.sets(st.integers(0, len(lines) - 1), min_size=1)):
        lines[place] = draw(json_of([lines[place]]))
    return b"\n".join(lines)


@st.composite
def safetensors_of(draw, seeds):
    """A valid safetensors file with damaged values in its header, those of the texts in its metadata too."""
    if draw(st.integers(0, 3)) == 0:
        return draw(bytes_of(seeds))
    data = draw(st.sampled_from(seeds))
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    metadata = header.get("__metadata__", {})
    inside = [key for key, text in metadata.items() if text[:1] in ("{", "[")]
    if inside and draw(st.booleans()):
        key = draw(st.sampled_from(inside))
        metadata[key] = draw(json_of([metadata[key].encode()])).decode("utf-8", "replace")
    else:
        header = draw(value_of([json.dumps(header)]))
    if draw(st.booleans()) and body:
        place = draw(st.integers(0, len(body) - 1))
        odd = draw(
            st.sampled_from([b"\x00\x00\xc0\x7f", b"\x00\x00\x80\x7f", b"\xff\xff\x7f\x7f", b"\x01\x00\x00\x00"])
        )
        place -= place % 4
        body = (body[:place] + odd + body[place + 4 :])[: len(body)]
    text = json.dumps(header).encode("utf-8", "replace")
    return struct.pack("<Q", len(text)) + text + body


@st.composite
def zip_of(draw, seeds, inner=bytes_of):
    """A valid zip with a damaged member, an odd name, or damaged bytes."""
    if draw(st.integers(0, 3)) == 0:
        return draw(bytes_of(seeds))
    with zipfile.ZipFile(io.BytesIO(draw(st.sampled_from(seeds)))) as archive:
        members = [(info.filename, archive.read(info), info.compress_type) for info in archive.infolist()]
    place = draw(st.integers(0, len(members) - 1))
    name, content, packed = members[place]
    kind = draw(st.integers(0, 5))
    if kind <= 3:
        content = draw(inner([content or b"x"]))
    elif kind == 4:
        name = draw(st.sampled_from(["../x", "/x", "a\\b", "x" * 300, name + "/x", "", "data.pkl", "\u202e"]))
    else:
        members.append((name, content, packed))
    members[place] = (name, content, draw(st.sampled_from([packed, zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])))
    stream = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(stream, "w") as archive:
        for one, data, compression in members:
            archive.writestr(zipfile.ZipInfo(one or "_"), data, compression)
    return stream.getvalue()


@st.composite
def gzip_of(draw, seeds):
    """What a valid gzip file holds, damaged and packed again; or its own bytes damaged."""
    if draw(st.booleans()):
        return draw(bytes_of(seeds))
    plain = zlib.decompress(draw(st.sampled_from(seeds)), wbits=31)
    packer = zlib.compressobj(1, wbits=31)
    return packer.compress(draw(bytes_of([plain]))) + packer.flush()
