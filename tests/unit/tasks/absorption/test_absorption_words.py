"""Words with first letters, members of kinds, their prompts and splits."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace

import pytest
from absorption_words import LETTERS, SETTINGS, WORDS, Vocabulary
from offset_pieces import OffsetPieces

from mibench.core.errors import DataError, UsageError
from mibench.tasks.absorption.hierarchy import hierarchy_prompts
from mibench.tasks.absorption.kinds import KINDS, TEMPLATES
from mibench.tasks.absorption.prompts import ids_up_to, last_token, prompts_digest, split_of
from mibench.tasks.absorption.settings import HierarchySettings
from mibench.tasks.absorption.words import letter_prompts

ENCODER = Vocabulary()
PROMPTS = letter_prompts(ENCODER, len(ENCODER.pieces), SETTINGS, bos=True)


def test_each_word_of_one_token_is_in_one_prompt_and_one_split() -> None:
    assert sorted(one.word for one in PROMPTS) == sorted(WORDS)
    assert Counter(one.split for one in PROMPTS) == {"train": 72, "validation": 24, "test": 24}
    assert all(one.concept == one.word[0] for one in PROMPTS)
    by_letter = Counter((one.concept, one.split) for one in PROMPTS)
    assert all(by_letter[letter, "test"] == by_letter[letter, "validation"] == 4 for letter in LETTERS)


def test_a_prompt_spells_two_train_words_and_ends_with_its_own() -> None:
    split = {one.word: one.split for one in PROMPTS}
    for one in PROMPTS:
        text = ENCODER.decode(one.ids)
        assert text.startswith("<s> ")
        *examples, last = text.removeprefix("<s>").split("\n")
        assert last == f" {one.word}"
        assert len(examples) == 2
        for example in examples:
            word, _, letter = example.strip().partition(": ")
            assert letter == word[0].upper()
            assert split[word] == "train"
            assert word != one.word


def test_prompts_are_the_same_each_time_and_others_with_another_seed() -> None:
    again = letter_prompts(Vocabulary(), len(ENCODER.pieces), SETTINGS, bos=True)
    other = letter_prompts(ENCODER, len(ENCODER.pieces), replace(SETTINGS, split_seed=1), bos=True)
    assert again == PROMPTS
    assert prompts_digest(again) == prompts_digest(PROMPTS) != prompts_digest(other)
    assert {one.word: one.split for one in other} != {one.word: one.split for one in PROMPTS}


def test_without_bos_no_prompt_begins_with_it() -> None:
    bare = letter_prompts(ENCODER, len(ENCODER.pieces), SETTINGS, bos=False)
    assert all(one.ids[0] != ENCODER.bos_id for one in bare)
    assert [one.ids for one in bare] == [one.ids[1:] for one in PROMPTS]


def test_words_are_at_most_so_many_and_letters_with_fewer_words_are_left_out() -> None:
    few = letter_prompts(ENCODER, len(ENCODER.pieces), replace(SETTINGS, words=10), bos=True)
    assert set(Counter(one.concept for one in few).values()) == {10}
    short = [token for token in range(len(ENCODER.pieces)) if not ENCODER.decode([token]).startswith(" f")]
    fewer = letter_prompts(ENCODER, max(short[:90]), SETTINGS, bos=True)
    assert {one.concept for one in fewer} < set(LETTERS)
    with pytest.raises(DataError, match="too few words"):
        letter_prompts(ENCODER, len(ENCODER.pieces), replace(SETTINGS, least_words=21), bos=True)


def test_words_of_several_tokens_are_left_out() -> None:
    class Halves(Vocabulary):
        """Splits the last letter off one word."""

        def offsets(self, text):
            found = super().offsets(text)
            start, end = found[-1]
            return [*found[:-1], (start, end - 1), (end - 1, end)] if text[start:end] == f" {WORDS[3]}" else found

    encoder = Halves()
    found = letter_prompts(encoder, len(encoder.pieces), replace(SETTINGS, examples=0), bos=True)
    assert sorted([*(one.word for one in found), WORDS[3]]) == sorted(WORDS)


@pytest.mark.parametrize("example", ["{letter}: {word}\n", " {word}\n", "{word} {word} {letter}", "no places"])
def test_a_template_without_a_word_and_then_its_letter_is_refused(example: str) -> None:
    with pytest.raises(UsageError, match="template"):
        letter_prompts(ENCODER, len(ENCODER.pieces), replace(SETTINGS, example=example), bos=True)


def test_a_tokenizer_without_a_vocabulary_is_refused() -> None:
    with pytest.raises(UsageError, match="vocabulary"):
        letter_prompts(OffsetPieces(), 10, SETTINGS, bos=True)


def test_the_token_of_a_word_is_found_by_its_characters() -> None:
    text = "talk about dog today"
    assert last_token(text, text.index("dog") + 3, OffsetPieces()) == 2
    assert len(ids_up_to(text, text.index("dog") + 3, OffsetPieces(), bos=True)) == 4
    with pytest.raises(DataError, match="character"):
        last_token("dog", 9, OffsetPieces())


def test_splits_take_words_in_shares_of_6_2_and_2() -> None:
    words = [f"w{number}" for number in range(50)]
    found = split_of(words, 0, "x")
    assert Counter(found.values()) == {"train": 30, "validation": 10, "test": 10}
    assert split_of(words[::-1], 0, "x") == found
    assert split_of(words, 1, "x") != found


def test_no_member_is_of_two_kinds_and_every_kind_has_members_enough() -> None:
    members = [member for of in KINDS.values() for member in of]
    assert len(members) == len({member.lower() for member in members})
    assert all(len(of) >= 11 for of in KINDS.values())
    assert all(member == member.strip() and member for member in members)
    assert not set(KINDS) & set(members)


def test_every_member_stands_in_every_template_and_all_its_prompts_have_one_split() -> None:
    prompts = hierarchy_prompts(OffsetPieces(), HierarchySettings(), bos=True)
    splits, kinds = defaultdict(set), Counter((one.concept, one.word) for one in prompts)
    for one in prompts:
        splits[one.word].add(one.split)
    assert all(len(found) == 1 for found in splits.values())
    assert set(kinds.values()) == {len(TEMPLATES)}
    assert all(
        {split for one in prompts if one.concept == kind for split in splits[one.word]}
        == {"train", "validation", "test"}
        for kind in KINDS
    )


def test_words_and_kinds_import_no_torch() -> None:
    modules = "mibench.tasks.absorption.words, mibench.tasks.sae.absorption_hierarchy"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
