from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mibench.core.errors import DataError, MibenchError, UsageError
from mibench.tasks.pairs import Pair, read_pairs, write_pairs

GOOD = {"clean": "a b", "counterfactual": "a c", "correct": " x", "incorrect": " y"}
IDS = {"clean": [1, 2], "counterfactual": [1, 3], "correct": 4, "incorrect": 5}


def _file(tmp_path, *rows):
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n")
    return path


def test_text_and_id_rows_are_read_with_default_ids_and_metric(tmp_path):
    first, second = read_pairs(_file(tmp_path, GOOD, IDS | {"id": "mine", "prompt": "ignored"}))
    assert first == Pair("0", "a b", "a c", " x", " y", "logit_diff")
    assert second == Pair("mine", (1, 2), (1, 3), 4, 5, "logit_diff")


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path):
    path = _file(tmp_path, GOOD)
    plain = read_pairs(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_pairs(path) == plain


def test_a_line_separator_inside_text_does_not_end_the_line(tmp_path):
    row = json.dumps(GOOD | {"clean": "a\u2028b"}, ensure_ascii=False)
    assert read_pairs(_file(tmp_path, row))[0].clean == "a\u2028b"


def test_blank_lines_count_for_default_ids(tmp_path):
    assert [pair.id for pair in read_pairs(_file(tmp_path, GOOD, "", GOOD))] == ["0", "2"]


BAD = [
    ("{", "not JSON"),
    ("[1]", "not an object"),
    ("null", "It is null"),
    ('{"clean": "a", "clean": "b"}', "stands twice"),
    ('{"extra": {"a": 1, "a": 2}}', "stands twice"),
    (json.dumps(GOOD | {"extra": float("nan")}), "not a finite number"),
    (json.dumps(GOOD)[:-1] + ', "extra": 1e999}', "not a finite number"),
    (json.dumps(GOOD)[:-1] + ', "extra": ' + "9" * 5000 + "}", "not JSON"),
    ("[" * 100_000, "not JSON"),
    ({key: GOOD[key] for key in ("clean", "counterfactual", "correct")}, "'incorrect'"),
    (GOOD | {"clean": ""}, "'clean'"),
    (GOOD | {"clean": "\ud800"}, "surrogate"),
    (GOOD | {"clean": 3}, "It is a number"),
    (GOOD | {"clean": [1, 2]}, "One of clean and counterfactual"),
    (IDS | {"clean": []}, "'clean'"),
    (IDS | {"clean": [True, 2]}, "True is not a token id"),
    (IDS | {"clean": [1.0, 2]}, "1.0 is not a token id"),
    (IDS | {"clean": [-1, 2]}, "-1 is not a token id"),
    (IDS | {"clean": [2**31, 2]}, "is not a token id"),
    (IDS | {"clean": [1, 2, 3]}, "clean has 3 token ids, counterfactual 2"),
    (IDS | {"correct": True}, "True is not a token id"),
    (IDS | {"correct": None}, "It holds null"),
    (IDS | {"correct": 1.5}, "It holds a number"),
    (IDS | {"correct": []}, "0 answers"),
    (IDS | {"correct": [[1]]}, "It holds a list"),
    (IDS | {"correct": [1, 2]}, "logit_diff compares single tokens"),
    (IDS | {"metric": "accuracy"}, "'accuracy'"),
    (IDS | {"metric": ["logit_diff"]}, "It is a list"),
    (IDS | {"id": 3}, "'id'"),
    (IDS | {"id": ""}, "'id'"),
]


@pytest.mark.parametrize(("row", "message"), BAD)
def test_a_bad_row_is_refused_with_file_line_and_reason(tmp_path, row, message):
    path = _file(tmp_path, GOOD, row)
    with pytest.raises(DataError) as caught:
        read_pairs(path)
    assert message in str(caught.value)
    assert f"{path}, line 2" in caught.value.what


def test_duplicate_ids_name_both_lines(tmp_path):
    with pytest.raises(DataError, match="line 3") as caught:
        read_pairs(_file(tmp_path, GOOD, GOOD | {"id": "a"}, GOOD | {"id": "a"}))
    assert "Line 2" in caught.value.why


def test_a_given_id_may_not_repeat_a_default_id(tmp_path):
    with pytest.raises(DataError, match="'id'"):
        read_pairs(_file(tmp_path, GOOD | {"id": "1"}, GOOD))


def test_an_empty_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="no pairs"):
        read_pairs(_file(tmp_path, ""))


def test_a_missing_file_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError):
        read_pairs(tmp_path / "no.jsonl")


def test_a_file_over_the_limit_is_refused(tmp_path):
    with pytest.raises(DataError, match="too large"):
        read_pairs(_file(tmp_path, GOOD), max_bytes=10)


def test_text_that_is_not_utf8_is_refused(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(b'{"clean": "\xff"}')
    with pytest.raises(DataError, match="read as text"):
        read_pairs(path)


def test_writing_nothing_leaves_the_old_file(tmp_path):
    path = _file(tmp_path, GOOD)
    before = path.read_bytes()
    with pytest.raises(DataError):
        write_pairs(path, [])
    assert path.read_bytes() == before


def test_golden_pairs_files_can_be_read():
    assert len(read_pairs("tests/golden/smollm2_ioi/pairs.jsonl")) == 20
    assert {len(pair.clean) for pair in read_pairs("tests/golden/tiny_gpt2/pairs_B.jsonl")} == {
        6,
        7,
        8,
        9,
        12,
    }


_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
_id = st.integers(0, 2**31 - 1)
_ids = st.integers(1, 5).flatmap(lambda n: st.tuples(*[st.lists(_id, min_size=n, max_size=n).map(tuple)] * 2))
_prompts = st.one_of(st.tuples(_text, _text), _ids)
_one = st.one_of(_text, _id)
_many = st.one_of(_one, st.lists(_one, min_size=1, max_size=4).map(tuple))


@st.composite
def _pairs(draw):
    names = draw(st.lists(_text, min_size=1, max_size=4, unique=True))
    metrics = [draw(st.sampled_from(["logit_diff", "prob_diff"])) for _ in names]
    answers = [_one if metric == "logit_diff" else _many for metric in metrics]
    return [
        Pair(name, *draw(_prompts), draw(answer), draw(answer), metric)
        for name, metric, answer in zip(names, metrics, answers, strict=True)
    ]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=_pairs())
def test_what_is_written_is_read_back(tmp_path, pairs):
    write_pairs(tmp_path / "p.jsonl", pairs, extras=[{"prompt": "x"}] * len(pairs))
    assert read_pairs(tmp_path / "p.jsonl") == pairs


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
_rows = st.fixed_dictionaries({}, optional=dict.fromkeys(("id", "metric", *GOOD), _json | _many)).map(json.dumps)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(
        _rows.map(str.encode),
        st.binary(max_size=60),
        st.text(max_size=40).map(lambda t: t.encode("utf-8", "surrogatepass")),
    )
)
def test_any_bytes_give_pairs_or_a_declared_error(tmp_path, content):
    path = tmp_path / "fuzz.jsonl"
    path.write_bytes(content)
    try:
        pairs = read_pairs(path)
    except MibenchError:
        return
    write_pairs(tmp_path / "again.jsonl", pairs)
    assert read_pairs(tmp_path / "again.jsonl") == pairs
