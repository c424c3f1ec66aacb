"""Pooled features of texts, against one plain pass of the model a text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from probe_family import BOS, SAE, TRANSCODER, Letters, ground, identity, language_model, random_dictionary, subject

from mibench.core.errors import ArtifactError, DataError, UsageError
from mibench.core.hook_points import HookPoint
from mibench.engine.activations.capture import read
from mibench.tasks.probing.settings import Pool
from mibench.tracks.sae.evaluation import Ground, Network, Text
from mibench.tracks.sae.pooled import PooledTexts, Reading

TEXTS = ("abcd", "hello world", "x", "abcdefgh ijkl mnop", "dcba", "y", "hello")
LONGEST = 12


def pooled(how: Pool = "mean", where: Ground | None = None, texts: tuple[str, ...] = TEXTS) -> PooledTexts:
    where = where or ground()
    assert where.network is not None
    return PooledTexts(texts, where, where.network, Reading(LONGEST, how))


def tokens(text: str, point: HookPoint, *, bos: bool = True) -> np.ndarray:
    ids = ([BOS] if bos else []) + Letters().encode(text)
    found = read(language_model(), torch.tensor([ids[:LONGEST]]), [point])[point][0]
    return found[int(bos) :].numpy()


POOLS = {"mean": lambda x: x.mean(0), "last": lambda x: x[-1], "max": lambda x: x.max(0)}


@pytest.mark.parametrize("how", POOLS)
def test_features_are_pooled_over_the_tokens_of_each_text_without_bos(how: Pool) -> None:
    one, coder = pooled(how), subject(random_dictionary()).coder
    plain = [tokens(text, SAE.hook) for text in TEXTS]
    latents = [coder.encode(torch.tensor(x)).numpy() for x in plain]
    assert np.allclose(one.inputs, [POOLS[how](x) for x in plain], atol=1e-12)
    found = one.latents(coder)
    assert np.allclose(found.values, [POOLS[how](f) for f in latents], atol=1e-5)
    counted = [f[-1:] if how == "last" else f for f in latents]
    assert (found.active, found.tokens) == (sum((f != 0).sum() for f in counted), sum(len(f) for f in counted))


def test_without_bos_the_first_token_counts() -> None:
    one = pooled(where=ground(text=Text("none", bos=False)))
    assert np.allclose(one.inputs[2], tokens("x", SAE.hook, bos=False).mean(0))


def test_an_identity_gives_the_activations_back() -> None:
    one = pooled()
    assert np.allclose(one.latents(subject(identity()).coder).values, one.inputs, atol=1e-5)
    assert one.targets is one.inputs


def test_a_transcoder_has_targets_of_its_own() -> None:
    one = pooled(where=ground(TRANSCODER))
    assert np.allclose(one.targets, [tokens(text, TRANSCODER.target).mean(0) for text in TEXTS])
    assert np.allclose(one.inputs, [tokens(text, TRANSCODER.hook).mean(0) for text in TEXTS])


def test_kept_on_disk_they_are_the_same_and_the_model_runs_once(tmp_path: Path) -> None:
    class Counter:
        forwards = 0

        def forward(self, examples: int) -> None:
            self.forwards += examples

        def backward(self, examples: int) -> None:
            raise AssertionError(examples)

    counter, coder = Counter(), subject(random_dictionary()).coder
    plain = pooled().latents(coder).values
    for _ in range(2):
        stored = pooled(where=ground(cache=tmp_path, counter=counter))
        assert np.array_equal(stored.latents(coder).values, plain)
    once = counter.forwards
    assert once > 0
    (path,) = tmp_path.rglob("*.safetensors")
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(bytes(content))
    assert np.array_equal(pooled(where=ground(cache=tmp_path, counter=counter)).latents(coder).values, plain)
    assert counter.forwards == 2 * once
    path.write_bytes(b"nothing")
    assert np.array_equal(pooled(where=ground(cache=tmp_path)).latents(coder).values, plain)


def test_other_texts_places_and_bos_are_kept_apart(tmp_path: Path) -> None:
    for where in (ground(cache=tmp_path), ground(TRANSCODER, cache=tmp_path)):
        _ = pooled(where=where).inputs
    _ = pooled(where=ground(cache=tmp_path), texts=("abc",)).inputs
    _ = pooled(where=ground(cache=tmp_path, text=Text("none", bos=False))).inputs
    assert len(list(tmp_path.rglob("*.safetensors"))) == 4


def test_texts_without_a_token_and_models_without_a_tokenizer_are_refused() -> None:
    with pytest.raises(DataError, match="no token"):
        _ = pooled(texts=("abc", "")).inputs
    network = ground().network
    assert network is not None
    with pytest.raises(UsageError, match="no tokenizer"):
        _ = pooled(where=ground(network=Network(network.model, network.ref, None))).inputs


def test_what_the_model_cannot_read_is_refused() -> None:
    where = ground()
    assert where.network is not None
    with pytest.raises(DataError, match="too long"):
        _ = PooledTexts(("a" * 60,), where, where.network, Reading(64, "mean")).inputs

    class Foreign(Letters):
        def encode(self, text: str) -> list[int]:
            return [5000 for _ in text]

    network = Network(where.network.model, where.network.ref, Foreign())
    with pytest.raises(DataError, match="token id 5000"):
        _ = pooled(where=ground(network=network)).inputs


def test_a_dictionary_of_another_width_is_refused() -> None:
    wide = random_dictionary()
    tensors = {name: (array[:8] if name == "w_enc" else array) for name, array in wide.tensors.items()}
    with pytest.raises(ArtifactError, match="does not fit"):
        pooled().latents(subject(replace(wide, tensors=tensors)).coder)


def test_latents_beyond_all_numbers_are_refused() -> None:
    huge = random_dictionary()
    tensors = {**huge.tensors, "w_enc": huge.tensors["w_enc"] * np.float32(5e37)}
    with pytest.raises(ArtifactError, match="cannot be used"):
        pooled().latents(subject(replace(huge, tensors=tensors)).coder)
