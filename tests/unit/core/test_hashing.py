"""Equal meaning gives equal hex, on every machine and in every run."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mibench
from mibench.core.hashing import array_digest, canonical_json, digest, file_digest

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("aé\n")
trees = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner), max_leaves=8)


def test_canonical_json_is_sorted_and_without_spaces() -> None:
    assert canonical_json({"b": [1, 2.5], "a": "é"}) == '{"a":"é","b":[1,2.5]}'.encode()


def test_a_known_digest_stays_what_it_is() -> None:
    assert digest({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()
    assert digest({"a": 1}).startswith("015abd7f5cc57a2d")


@given(st.dictionaries(st.text("abcdef"), trees))
def test_the_order_of_keys_does_not_matter(tree: dict[str, object]) -> None:
    assert digest(dict(reversed(tree.items()))) == digest(tree)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_json_does_not_know_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        digest({"a": [value]})


def test_a_digest_does_not_depend_on_the_seed_of_string_hashes() -> None:
    code = "from mibench.core.hashing import digest; print(digest({'b': 1, 'a': {'d': 2, 'c': 3}}))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(mibench.__file__).parents[1])},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert outputs == {digest({"a": {"c": 3, "d": 2}, "b": 1})}


def test_a_file_has_the_digest_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert file_digest(tmp_path / "file") == hashlib.sha256(b"abc").hexdigest()


def test_byte_order_and_memory_order_do_not_matter_to_an_array() -> None:
    array = np.arange(6, dtype="<f8").reshape(2, 3)
    assert array_digest(array.astype(">f8")) == array_digest(array)
    assert array_digest(np.asfortranarray(array)) == array_digest(array)


@pytest.mark.parametrize(
    "other",
    [
        np.zeros((1, 2)),
        np.zeros((2, 1)),
        np.zeros(2, dtype=np.float32),
        np.zeros(2, dtype=np.int64),
        np.ones(2),
    ],
)
def test_shape_dtype_and_values_matter_to_an_array(other: np.ndarray) -> None:
    assert array_digest(other) != array_digest(np.zeros(2))


def test_a_scalar_is_not_an_array_of_one() -> None:
    assert array_digest(np.array(1.0)) != array_digest(np.array([1.0]))


def test_an_array_of_python_objects_is_refused() -> None:
    with pytest.raises(TypeError):
        array_digest(np.array([{}, {}], dtype=object))
