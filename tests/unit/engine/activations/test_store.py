from __future__ import annotations

import itertools
import os
import weakref
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from stored import BOS, REF, SAE, TRANSCODER, request, text, tiny

from mibench.core.errors import DataError, ModelError, StoreError, UsageError
from mibench.core.hook_points import HookKind, HookPoint
from mibench.engine.activations import chunk_files, store, streaming
from mibench.engine.activations.capture import read
from mibench.engine.activations.shuffle import WINDOW
from mibench.engine.activations.store import open_store


def in_order(found):
    """Inputs and targets of all contexts."""
    batches = list(found.passes())
    return torch.cat([batch.inputs for batch in batches]), torch.cat([batch.targets for batch in batches])


def first(found, n, *, size=16, seed=0, skip=0):
    return [batch.inputs for batch in itertools.islice(found.batches(size, seed, skip=skip), n)]


def same(one, other):
    return len(one) == len(other) and all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def chunks(folder):
    return sorted(folder.glob("*/chunk-*.safetensors"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("place", [SAE, TRANSCODER])
def test_stored_and_streamed_numbers_and_their_order_are_the_same_bits(tmp_path, place, dtype):
    streamed, stored = open_store(request(None, place, dtype)), open_store(request(tmp_path, place, dtype))
    again = open_store(request(tmp_path, place, dtype))
    for found in (stored, again):
        assert same(in_order(streamed), in_order(found))
        assert same(first(streamed, 20), first(found, 20))
    inputs, targets = in_order(again)
    assert inputs.dtype == targets.dtype == tiny(dtype).accumulate
    assert (again.d_in, again.d_out, again.n_tokens) == (16, 16, int(text().scored.sum()))
    assert streamed.digest == again.digest


def test_numbers_are_those_of_the_model_at_both_hook_points(tmp_path):
    blocks = text()
    hooks = [TRANSCODER.hook, TRANSCODER.target]
    expected = read(tiny(torch.float64), torch.from_numpy(blocks.ids).long(), hooks)
    inputs, targets = in_order(open_store(request(tmp_path, TRANSCODER, torch.float64)))
    assert torch.allclose(inputs, expected[hooks[0]], atol=1e-12)
    assert torch.allclose(targets, expected[hooks[1]], atol=1e-12)
    assert not torch.allclose(inputs, targets)


def test_batches_in_order_say_which_contexts_they_are(tmp_path):
    blocks, found = text(), open_store(request(tmp_path))
    for size in (None, 1, 2, 100):
        batches = list(found.passes(size))
        assert [row for batch in batches for row in range(batch.rows.start, batch.rows.stop)] == list(
            range(len(blocks))
        )
        assert max(len(batch.ids) for batch in batches) == {None: 2, 1: 1, 2: 2, 100: 3}[size]
        assert np.array_equal(torch.cat([batch.ids for batch in batches]).numpy(), blocks.ids)
        assert np.array_equal(torch.cat([batch.scored for batch in batches]).numpy(), blocks.scored)
    with pytest.raises(UsageError, match="0 contexts"):
        next(found.passes(0))


def scored_rows(found):
    inputs, _ = in_order(found)
    return [tuple(row) for row in inputs[torch.from_numpy(text().scored)].tolist()]


def test_an_epoch_has_each_scored_token_once_and_no_bos(tmp_path):
    found = open_store(request(tmp_path))
    rows, full = Counter(scored_rows(found)), found.n_tokens // 7
    for epoch in range(2):
        batches = first(found, full, size=7, skip=epoch * full)
        assert {tuple(batch.shape) for batch in batches} == {(7, 16)}
        seen = Counter(tuple(row) for batch in batches for row in batch.tolist())
        assert not seen - rows
        assert (rows - seen).total() == found.n_tokens % 7
    bos = {tuple(row) for row in in_order(found)[0][torch.from_numpy(text().ids == BOS)].tolist()}
    assert not bos & set(seen)


def test_epochs_and_seeds_have_different_orders_and_the_same_seed_the_same(tmp_path):
    found = open_store(request(tmp_path))
    full = found.n_tokens // 16
    one, two = first(found, full), first(found, full, skip=full)
    assert not torch.equal(one[0], two[0])
    assert not torch.equal(one[0], first(found, 1, seed=1)[0])
    assert same(one, first(open_store(request(tmp_path)), full))


def test_tokens_are_mixed_over_chunks_and_over_places_in_their_context(tmp_path):
    found = open_store(request(tmp_path))
    place = {row: number for number, row in enumerate(scored_rows(found))}
    order = [place[tuple(row)] for batch in first(found, found.n_tokens // 16) for row in batch.tolist()]
    assert abs(float(np.corrcoef(order, np.arange(len(order)))[0, 1])) < 0.3
    assert sum(b - a == 1 for a, b in itertools.pairwise(order)) < len(order) / 10


@pytest.mark.parametrize("size", [1, 5, 16, 80])
def test_skipping_is_dropping(tmp_path, size):
    found = open_store(request(tmp_path))
    everything = first(found, 30, size=size)
    for skip in (0, 1, 2, 7, 13, 29):
        assert same(first(found, 30 - skip, size=size, skip=skip), everything[skip:])


def test_transcoder_targets_stay_with_their_inputs(tmp_path):
    found = open_store(request(tmp_path, TRANSCODER))
    inputs, targets = in_order(found)
    both = zip(inputs.flatten(0, 1).tolist(), targets.flatten(0, 1).tolist(), strict=True)
    pairs = {tuple(row): tuple(target) for row, target in both}
    for batch in itertools.islice(found.batches(16, 0), 10):
        assert [pairs[tuple(row)] for row in batch.inputs.tolist()] == [tuple(row) for row in batch.targets.tolist()]


def test_the_model_runs_once_with_progress_and_later_uses_read(tmp_path, monkeypatch):
    told, counted = [], []
    counter = type("Counter", (), {"forward": lambda self, n: counted.append(n)})()
    made = request(tmp_path, progress=lambda done, total: told.append((done, total)), counter=counter)
    open_store(made).fill()
    assert told == [(done, 8) for done in range(1, 9)]
    # Two of three layers are run.
    assert sum(counted) == 7 * round(3 * 2 / 3) + round(2 * 2 / 3)
    monkeypatch.setattr(streaming, "read", None)
    in_order(open_store(made))
    first(open_store(made), 12)
    assert len(told) == 8


def test_what_was_stored_before_a_crash_is_kept_and_the_rest_is_made_the_same(tmp_path, monkeypatch):
    whole = open_store(request(tmp_path / "whole"))
    whole.fill()
    real, runs = store.compute, []

    def crashing(made, chunk):
        runs.append(chunk)
        if len(runs) == 4:
            raise KeyboardInterrupt
        return real(made, chunk)

    monkeypatch.setattr(store, "compute", crashing)
    with pytest.raises(KeyboardInterrupt):
        open_store(request(tmp_path / "parts")).fill()
    assert len(chunks(tmp_path / "parts")) == 3
    again = open_store(request(tmp_path / "parts"))
    again.fill()
    assert runs == [0, 1, 2, 3, 3, 4, 5, 6, 7]
    assert same(in_order(again), in_order(whole))
    both = zip(chunks(tmp_path / "parts"), chunks(tmp_path / "whole"), strict=True)
    assert all(one.read_bytes() == other.read_bytes() for one, other in both)


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-7])


def change_a_number(path):
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def another_chunk(path):
    path.write_bytes(path.with_name("chunk-00000.safetensors").read_bytes())


def not_safetensors(path):
    path.write_bytes(b"\xff" * 64)


@pytest.mark.parametrize("damage", [cut_short, change_a_number, another_chunk, not_safetensors])
def test_a_damaged_chunk_is_made_again_and_said_so(tmp_path, damage):
    good = open_store(request(tmp_path))
    expected, before = in_order(good), [path.read_bytes() for path in chunks(tmp_path)]
    damage(chunks(tmp_path)[2])
    said = []
    found = open_store(request(tmp_path, say=said.append))
    assert same(in_order(found), expected)
    assert len(said) == 1
    assert "chunk-00002.safetensors is made again" in said[0]
    assert [path.read_bytes() for path in chunks(tmp_path)] == before


def test_a_chunk_of_another_shape_or_type_is_made_again(tmp_path):
    found = open_store(request(tmp_path))
    expected = in_order(found)
    head = chunk_files.canonical_json({"key": found.request.key, "chunk": 1}).decode()
    for wrong in (torch.zeros(3, 6, 15), torch.zeros(3, 6, 16, dtype=torch.float64)):
        save_file({SAE.hook.name: wrong}, chunks(tmp_path)[1], metadata={"mibench": head})
        said = []
        assert same(in_order(open_store(request(tmp_path, say=said.append))), expected)
        assert "shape or type" in said[0]


def test_each_part_of_what_fixes_the_numbers_is_in_the_digest():
    plain = request()
    others = [
        replace(plain, ref=REF.model_copy(update={"digest": "e" * 64})),
        replace(plain, ref=REF.model_copy(update={"dtype": "bfloat16"})),
        replace(plain, ref=REF.model_copy(update={"attention": "eager"})),
        replace(plain, place=replace(SAE, hook=HookPoint(2))),
        replace(plain, place=replace(SAE, hook=HookPoint(1, HookKind.MLP_OUT))),
        replace(plain, place=TRANSCODER),
        replace(plain, place=replace(TRANSCODER, hook=TRANSCODER.target, output=TRANSCODER.hook)),
        replace(plain, blocks=text(seed=1)),
        replace(plain, blocks=text(context=5)),
        replace(plain, blocks=replace(text(), bos=False)),
        replace(plain, chunk_bytes=2 * plain.block_bytes),
    ]
    digests = [open_store(one).digest for one in (plain, *others)]
    assert len(set(digests)) == len(digests)
    same_numbers = replace(plain, batch_tokens=100, max_bytes=1)
    assert open_store(same_numbers).digest == digests[0]


def test_memory_holds_a_window_of_chunks_not_the_store(tmp_path, monkeypatch):
    made = request(tmp_path, blocks=text(n=40))
    made = replace(made, chunk_bytes=made.block_bytes)
    found = open_store(made)
    found.fill()
    asked, alive, sizes = [], [], []
    real = store.StoredActivations._window

    def window(self, numbers):
        # What the last window held is gone before the next one is made.
        assert not any(held() for held in alive)
        values = real(self, numbers)
        asked.extend(numbers)
        alive.extend(weakref.ref(tensor) for tensor in values.values())
        sizes.extend(len(tensor) for tensor in values.values())
        return values

    monkeypatch.setattr(store.StoredActivations, "_window", window)
    for _ in itertools.islice(found.batches(1, 0), found.n_tokens):
        pass
    assert len(sizes) == 40 / WINDOW
    assert max(sizes) <= WINDOW * 5
    assert sorted(asked) == list(range(40))


def test_a_store_that_would_be_too_large_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    made = request(tmp_path / "stores", max_bytes=1000)
    with pytest.raises(StoreError, match="too large to be stored"):
        open_store(made).fill()
    assert not (tmp_path / "stores").exists()
    usage = type("Usage", (), {"free": 65 * 2**20})()
    monkeypatch.setattr(chunk_files.shutil, "disk_usage", lambda folder: usage)
    open_store(request(tmp_path / "stores")).fill()
    usage.free = 64 * 2**20
    other = request(tmp_path / "others")
    with pytest.raises(StoreError, match="too full"):
        open_store(other).fill()
    assert not list((tmp_path / "others").glob("*/*"))


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be stored"):
        open_store(request(tmp_path / "file")).fill()
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_disk_that_fills_up_meanwhile_leaves_no_half_chunk(tmp_path, monkeypatch):
    def full(tensors, path, metadata):
        path.write_bytes(b"half")
        raise SafetensorError("No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(StoreError, match=r"chunk-00000\.safetensors could not be written") as caught:
        open_store(request(tmp_path)).fill()
    assert "No space left" in caught.value.why
    assert [path.name for path in tmp_path.glob("*/*")] == ["manifest.json"]


def test_two_that_fill_the_same_store_at_once_do_not_disturb_each_other(tmp_path):
    one, other = open_store(request(tmp_path)).passes(), open_store(request(tmp_path)).passes()
    pairs = list(zip(one, other, strict=True))
    assert all(torch.equal(a.inputs, b.inputs) for a, b in pairs)
    assert same(in_order(open_store(request(tmp_path))), in_order(open_store(request())))


def test_temporary_files_that_a_killed_process_left_are_removed_after_a_while(tmp_path):
    made = request(tmp_path)
    folder = tmp_path / made.key
    folder.mkdir()
    old, new = folder / ".chunk-00000.safetensors.0a.tmp", folder / ".chunk-00000.safetensors.0b.tmp"
    for path in (old, new):
        path.write_text("half")
    os.utime(old, (0, 0))
    open_store(made).fill()
    assert (old.exists(), new.exists()) == (False, True)


def test_activations_that_are_not_finite_are_refused(monkeypatch):
    def broken(model, ids, points):
        found = read(model, ids, points)
        next(iter(found.values()))[0, 0, 0] = float("nan")
        return found

    monkeypatch.setattr(streaming, "read", broken)
    with pytest.raises(ModelError, match=r"residual-post\.L1 are not finite"):
        next(open_store(request()).passes())


def test_what_the_model_cannot_be_given_is_refused():
    blocks = text()
    blocks.ids[0, 1] = 41
    with pytest.raises(DataError, match="token id 41"):
        open_store(request(blocks=blocks))
    with pytest.raises(DataError, match="context of 33"):
        open_store(request(blocks=text(context=33)))
    with pytest.raises(DataError, match="no hook point"):
        open_store(replace(request(), place=replace(SAE, hook=HookPoint(3)), chunk_bytes=1000))


@pytest.mark.parametrize(("size", "seed", "skip"), [(0, 0, 0), (4, -1, 0), (4, 0, -1)])
def test_impossible_batches_are_refused_at_once(size, seed, skip):
    with pytest.raises(UsageError, match="not possible"):
        open_store(request()).batches(size, seed, skip=skip)


def test_batches_larger_than_the_text_are_refused():
    found = open_store(request())
    with pytest.raises(DataError, match="too little text"):
        found.batches(found.n_tokens + 1, 0)
    assert len(first(found, 1, size=found.n_tokens)[0]) == found.n_tokens
