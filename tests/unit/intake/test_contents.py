from __future__ import annotations

import json
import struct

import pytest

from mibench.intake.contents import MAX_HEADER, content_fault, document_fault


def safetensors(path, length):
    """An empty safetensors file with a header of ``length`` bytes."""
    text = json.dumps({"__metadata__": {"x": ""}})
    path.write_bytes(struct.pack("<Q", length) + text.ljust(length).encode())
    return path


@pytest.mark.parametrize("magic", [b"MZ", b"PK", b"#!", b"\x80\x02", b"BZ"])
def test_a_header_may_have_any_length_even_one_that_reads_as_a_program(tmp_path, magic):
    path = safetensors(tmp_path / "a.safetensors", int.from_bytes(magic, "little"))
    assert path.read_bytes().startswith(magic)
    assert content_fault(path, path.name) is None


def test_the_longest_header_is_where_it_is_said_to_be(tmp_path):
    assert content_fault(safetensors(tmp_path / "a.safetensors", MAX_HEADER), "a.safetensors") is None
    found = content_fault(safetensors(tmp_path / "b.safetensors", MAX_HEADER + 1), "b.safetensors")
    assert f"the limit is {MAX_HEADER}" in found.why


def test_json_begins_as_an_object(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('\n {"cfg": {}}', encoding="utf-8")
    assert content_fault(path, path.name) is None
    path.write_text("[]", encoding="utf-8")
    assert "JSON object" in content_fault(path, path.name).why


def test_documents_are_plain_text(tmp_path):
    path = tmp_path / "README.md"
    path.write_text("# Ünicode → fine\r\n\ttoo", encoding="utf-8")
    assert document_fault(path, path.name, 100) is None
    for content in (b"\xff\xfe", b"a\x00b", b"\x1b[0m", "\u202e".encode(), b"x" * 101, b"#!/bin/sh\n"):
        path.write_bytes(content)
        assert document_fault(path, path.name, 100) is not None, content
