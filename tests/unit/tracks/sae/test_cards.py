"""Cards of latents, against planted latents and plain loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from core_family import BOS, Letters, language_model, linear, subject, write_text
from hypothesis import given
from hypothesis import strategies as st

from mibench.artifacts.dictionaries.dictionary import Dictionary, Place, Rule
from mibench.core.errors import UsageError
from mibench.core.hook_points import HookKind, HookPoint
from mibench.core.specs import ModelRef
from mibench.engine.activations.store import StoreRequest
from mibench.tasks.corpora.blocks import token_blocks
from mibench.tasks.corpora.load import load_corpus
from mibench.tracks.sae.cards import CardSettings, collect
from mibench.tracks.sae.logit_effects import logit_effects, pieces

STREAM = Place("tiny", HookPoint(0, HookKind.RESIDUAL_PRE))
LETTERS = "abcd"
CONTEXT = 12


def decode(ids):
    """Letters, and ^ for BOS; ids without a letter in the text by their number."""
    known = {2 + ord(letter) % 39: letter for letter in "abcdefghijklm "} | {BOS: "^"}
    return "".join(known.get(int(token), f"<{token}>") for token in ids)


@pytest.fixture(scope="module")
def request_of(tmp_path_factory):
    """Gives a request of contexts of letters at a place of a tiny model."""
    text = write_text(tmp_path_factory.mktemp("text"))
    blocks = token_blocks(load_corpus(text), "train", Letters(), context=CONTEXT, bos=True, tokens=600)

    def at(place=STREAM, name="llama", batch_tokens=40):
        ref = ModelRef(name="tiny", digest="0" * 64, dtype="float64")
        return StoreRequest(language_model(name), ref, blocks, place, batch_tokens=batch_tokens)

    return at


def planted(letters=LETTERS, dead=2) -> Dictionary:
    """A latent for each letter, active on it alone; and dead ones."""
    table = language_model().hf.get_input_embeddings().weight.detach().numpy()
    known = [2 + ord(letter) % 39 for letter in "abcdefghijklm "]
    marks = np.linalg.pinv(table[known])  # 1 on the embedding of its own letter, 0 on those of the other 13
    columns = [known.index(2 + ord(letter) % 39) for letter in letters]
    tensors = {
        "w_enc": np.hstack([marks[:, columns], np.zeros((16, dead))]), "b_enc": np.full(len(letters) + dead, -0.5),
        "w_dec": np.vstack([table[known][columns], np.eye(dead, 16)]), "b_dec": np.zeros(16),
    }  # fmt: skip
    arrays = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in tensors.items()}
    return Dictionary(STREAM, "relu", Rule("relu", pre_bias=False), arrays)


def deck_of(request, dictionary, **settings):
    return collect(subject(dictionary).coder, request, decode, CardSettings(**settings))


def counts(request, letter):
    blocks = request.blocks
    return int((blocks.ids[blocks.scored] == 2 + ord(letter) % 39).sum())


def test_a_latent_that_knows_a_letter_has_that_letter_at_every_peak(request_of):
    deck = deck_of(request_of(), planted(), latents=4, active=1.0)
    assert sorted(card.latent for card in deck.cards) == [0, 1, 2, 3]
    for card in deck.cards:
        letter = LETTERS[card.latent]
        assert {snippet.tokens[snippet.peak].text for snippet in card.snippets} == {letter}
        assert card.density == counts(request_of(), letter) / request_of().blocks.n_scored
        shaded = {token.text for snippet in card.snippets for token in snippet.tokens if token.value}
        assert shaded == {letter}


def test_the_most_active_come_first_and_dead_ones_have_no_card_but_are_told(request_of):
    deck = deck_of(request_of(), planted(), latents=40)
    densities = [card.density for card in deck.cards if card.chosen == "most active"]
    assert densities == sorted(densities, reverse=True)
    assert len(deck.cards) == 4
    assert deck.dead == 2 / 6
    assert deck.density[4:].tolist() == [0, 0]
    assert deck.l0 == pytest.approx(sum(counts(request_of(), letter) for letter in LETTERS) / deck.tokens)


def random_linear(place=STREAM, n=9, seed=1):
    rng = np.random.default_rng(seed)
    return linear(rng.normal(size=(16, n)), rng.normal(size=(n, 16)), np.zeros(16), place)


def test_snippets_are_the_contexts_with_the_largest_activations_as_a_plain_loop_finds_them(request_of):
    request, dictionary = request_of(Place("tiny", HookPoint(1))), random_linear(Place("tiny", HookPoint(1)))
    deck = deck_of(request, dictionary, latents=9, snippets=5)
    coder, blocks = subject(dictionary).coder, request.blocks
    ids = torch.from_numpy(blocks.ids).long()
    with torch.no_grad():
        stream = language_model().hf(ids, output_hidden_states=True).hidden_states[2]
    latents = coder.encode(stream).numpy()
    for card in deck.cards:
        own = np.where(blocks.scored, latents[..., card.latent], -np.inf)
        order = np.argsort(-own.max(1), kind="stable")[:5]
        assert [snippet.context for snippet in card.snippets] == order.tolist()
        assert [one.tokens[one.peak].value for one in card.snippets] == pytest.approx(own.max(1)[order].tolist())
        assert card.largest == pytest.approx(own.max())
        assert card.mean == pytest.approx(own[blocks.scored].mean())


def test_a_text_ends_with_its_window_and_its_document_and_bos_is_not_evaluated(request_of):
    request = request_of()
    deck = deck_of(request, random_linear(), latents=9, window=3)
    for card in deck.cards:
        for one in card.snippets:
            assert len(one.tokens) <= 7
            assert one.peak <= 3
            assert [token.value is None for token in one.tokens] == [token.text == "^" for token in one.tokens]
            place = int(request.blocks.document[one.context].max() - request.blocks.document[one.context].min())
            text = decode(request.blocks.ids[one.context])
            assert "".join(token.text for token in one.tokens) in text
            if place == 0:
                assert len(one.tokens) >= 4


def test_numbers_do_not_depend_on_the_batches(request_of):
    one = deck_of(request_of(batch_tokens=40), random_linear(), latents=6)
    other = deck_of(request_of(batch_tokens=400), random_linear(), latents=6)
    assert [card.latent for card in one.cards] == [card.latent for card in other.cards]
    assert [[s.context for s in card.snippets] for card in one.cards] == [
        [s.context for s in card.snippets] for card in other.cards
    ]


def test_the_draw_is_fixed_by_its_seed(request_of):
    def drawn(seed):
        return [card.latent for card in deck_of(request_of(), random_linear(n=30), latents=6, seed=seed).cards]

    assert drawn(0) == drawn(0)
    assert drawn(0)[:3] == drawn(1)[:3]
    assert any(drawn(0) != drawn(seed) for seed in range(1, 4))


@pytest.mark.parametrize("name", ["llama", "gpt2", "gemma2"])
def test_logit_effects_are_the_change_of_the_logits_along_the_row(request_of, name):
    dictionary, model = random_linear(), language_model(name)
    coder = subject(dictionary).coder
    found = logit_effects(coder, model, [0, 4], decode, 3)
    norm, head = model.anatomy.final_norm, model.hf.get_output_embeddings()
    for latent in (0, 4):
        # Far out along the row the norm's output is the row's own, up to one factor.
        with torch.no_grad():
            ends = [head(norm(sign * coder.decoder[latent] * 1e6)) for sign in (1, -1)]
        slope = ((ends[0] - ends[1]) / 2).numpy()
        order = np.argsort(-(slope - slope.mean()))
        raised, lowered = found[latent]
        assert [one.text for one in raised] == [decode([token]) for token in order[:3]]
        assert [one.text for one in lowered] == [decode([token]) for token in order[::-1][:3]]
        ratio = raised[0].value / (slope[order[0]] - slope.mean())
        assert [one.value for one in lowered] == pytest.approx(
            [ratio * (slope[token] - slope.mean()) for token in order[::-1][:3]]
        )


def test_what_is_not_written_to_the_stream_has_no_logit_effects(request_of):
    place = Place("tiny", HookPoint(0, HookKind.MLP_IN))
    deck = deck_of(request_of(place), random_linear(place), latents=3)
    assert all(card.raised == () == card.lowered for card in deck.cards)


def test_letters_of_several_tokens_come_whole():
    def bytes_of(ids):
        return bytes(ids).decode(errors="replace")

    assert pieces(bytes_of, list("aé b".encode())) == ["a", "", "é", " ", "b"]
    assert "".join(pieces(bytes_of, list("é".encode())[:1])) == "\N{REPLACEMENT CHARACTER}"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd"), max_size=20))
def test_pieces_join_to_the_text(text):
    assert "".join(pieces(lambda ids: bytes(ids).decode(errors="replace"), list(text.encode()))) == text


@pytest.mark.parametrize(
    "changes", [{"latents": 0}, {"snippets": 0}, {"window": 0}, {"effects": 0}, {"active": 1.5}, {"seed": -1}]
)
def test_settings_that_show_nothing_are_refused(request_of, changes):
    with pytest.raises(UsageError):
        deck_of(request_of(), planted(), **changes)


def test_a_dictionary_that_is_never_active_gives_no_cards(request_of):
    never = planted()
    never = replace(never, tensors=dict(never.tensors) | {"b_enc": np.full(6, -50.0, dtype=np.float32)})
    deck = deck_of(request_of(), never)
    assert deck.cards == ()
    assert deck.dead == 1
