from __future__ import annotations

from dataclasses import dataclass

import pytest

from mibench.core.errors import DataError, UsageError
from mibench.tasks.encode import bos_policy, encode, encoded_digest
from mibench.tasks.pairs import Pair, read_pairs


@dataclass(frozen=True)
class Characters:
    """One token a character."""

    bos_id: int | None = 1

    def encode(self, text: str) -> list[int]:
        return [ord(char) for char in text]


TEXT = Pair("t", "ab", "ac", "xy", "zy")
IDS = Pair("i", (5, 6), (5, 7), 3, 4)


def test_text_gets_bos_and_the_first_answer_token():
    (pair,) = encode([TEXT], Characters(bos_id=1), 200)
    assert pair.clean == (1, ord("a"), ord("b"))
    assert pair.counterfactual == (1, ord("a"), ord("c"))
    assert (pair.correct, pair.incorrect) == ((ord("x"),), (ord("z"),))
    assert (pair.length, pair.first_difference) == (3, 2)


def test_a_tokenizer_without_bos_adds_none():
    (pair,) = encode([TEXT], Characters(bos_id=None), 200)
    assert pair.clean == (ord("a"), ord("b"))


def test_ids_are_taken_as_given_and_need_no_tokenizer():
    (pair,) = encode([IDS], None, 8)
    assert (pair.clean, pair.counterfactual, pair.correct, pair.incorrect) == ((5, 6), (5, 7), (3,), (4,))


def test_ids_get_no_bos_even_with_a_tokenizer():
    assert encode([IDS], Characters(bos_id=1), 8)[0].clean == (5, 6)


def test_equal_prompts_are_a_legal_control():
    (pair,) = encode([Pair("c", (1, 2), (1, 2), 3, 4)], None, 8)
    assert pair.first_difference is None


def test_prob_diff_takes_lists():
    (pair,) = encode([Pair("p", "ab", "ac", ("x", 3), ("y",), "prob_diff")], Characters(), 200)
    assert (pair.correct, pair.incorrect) == ((ord("x"), 3), (ord("y"),))


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (Pair("r7", "abc", "ab", "x", "y"), "clean has 4 tokens, counterfactual 3"),
        (Pair("r7", "ab", "ac", "xa", "xb"), "coincide"),
        (Pair("r7", "ab", "ac", ("x", "xx"), "y", "prob_diff"), "coincide"),
        (Pair("r7", "ab", "ac", (1, 2), 3), "several answers"),
        (Pair("r7", "ab", "ac", 200, 3), "token id 200"),
        (Pair("r7", "aб", "ac", 2, 3), "token id 1073"),
        (Pair("r7", "ab", "ac", "", 3), "without tokens"),
    ],
)
def test_a_bad_pair_is_refused_by_name(pair, message):
    with pytest.raises(DataError) as caught:
        encode([TEXT, pair], Characters(bos_id=1), 200)
    assert "'r7'" in caught.value.what
    assert message in str(caught.value)


def test_a_prompt_without_tokens_is_refused():
    with pytest.raises(DataError, match="without tokens"):
        encode([Pair("e", "", "", 1, 2)], Characters(bos_id=None), 200)


@pytest.mark.parametrize("pair", [TEXT, Pair("a", (1,), (2,), "x", 3)])
def test_text_without_a_tokenizer_is_wrong_usage(pair):
    with pytest.raises(UsageError, match="no tokenizer"):
        encode([pair], None, 200)


def test_the_policy_follows_the_prompts_and_mixing_is_refused():
    assert bos_policy([TEXT]) == "prepend"
    assert bos_policy([IDS]) == "as-given"
    with pytest.raises(DataError, match="mix"):
        bos_policy([TEXT, IDS])
    with pytest.raises(DataError, match="mix"):
        encode([TEXT, IDS], Characters(), 200)


def test_the_digest_moves_with_every_id():
    one, other = (encode([Pair("a", (1, 2), (1, last), 3, 4)], None, 9) for last in (5, 6))
    assert encoded_digest(one) != encoded_digest(other)


def test_golden_pairs_keep_their_ids():
    pairs = read_pairs("tests/golden/smollm2_ioi/pairs.jsonl")
    encoded = encode(pairs, None, 49152)
    assert [pair.clean for pair in encoded] == [pair.clean for pair in pairs]
    assert min(pair.length for pair in encoded) == 15


@pytest.mark.parametrize(
    "pair", [Pair("r7", "abcd", "abce", "x", "y"), Pair("r7", (5, 6, 7, 8, 9), (1, 2, 3, 4, 5), 3, 4)]
)
def test_a_prompt_longer_than_the_model_reads_is_refused_with_both_lengths(pair):
    assert encode([pair], Characters(bos_id=1), 200, max_length=5)
    with pytest.raises(DataError) as caught:
        encode([pair], Characters(bos_id=1), 200, max_length=4)
    assert "'r7'" in caught.value.what
    assert "5 tokens" in caught.value.why
    assert "4 at most" in caught.value.why
