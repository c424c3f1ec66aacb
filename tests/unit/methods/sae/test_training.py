"""The training loop: seeds, resuming, progress, refusals, snapshots."""

from __future__ import annotations

import itertools
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from planted_activations import QUICK, Planted, explained, made_by, recovered, view_of

from mibench.core.errors import MethodError, MibenchError
from mibench.engine.activations.source import Activations
from mibench.methods.dictionaries import checkpoints
from mibench.methods.dictionaries.recipe import recipe_for, scaled_rate
from mibench.methods.dictionaries.sample import SAMPLE_TOKENS
from mibench.methods.dictionaries.schedules import warm_and_decay, warmed
from mibench.methods.dictionaries.snapshots import snapshots

TRAINED = ("topk", "batchtopk", "matryoshka", "relu", "gated", "jumprelu", "frozen-decoder")
SHORT = {"k": 2, "l0": 2.0, "tokens": 256 * 12}


class Killed(Exception):
    pass


class Fragile(Planted):
    """Gives so many training batches, then dies; the sample before training takes its own."""

    left = None

    def batches(self, size, seed, *, skip=0):
        for batch in super().batches(size, seed, skip=skip):
            if self.left is not None:
                self.left -= 1
                if self.left < 0:
                    raise Killed
            yield batch


def source(kind=Planted):
    return kind(tokens=9000)


@pytest.fixture
def always(monkeypatch):
    """Save after every step."""
    monkeypatch.setattr(checkpoints, "EVERY_SECONDS", -1.0)


def interrupted(name, folder, after):
    """A training that is killed after some steps, its checkpoint left behind."""
    fragile = source(Fragile)
    fragile.left = SAMPLE_TOKENS // 256 + after
    view = view_of(fragile, checkpoints=folder)
    with pytest.raises(Killed):
        made_by(name, fragile, view=view, **SHORT)


def saved_in(folder):
    return sorted(one.name for one in folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize("name", TRAINED)
def test_the_same_seed_gives_the_same_bytes_and_another_one_others(name):
    digests = [made_by(name, source(), view=view_of(source(), seed=seed), **SHORT).digest for seed in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("name", TRAINED)
def test_a_training_that_was_killed_goes_on_to_the_same_bytes_and_facts(name, tmp_path, always):
    whole = made_by(name, source(), **SHORT)
    interrupted(name, tmp_path, after=11)
    assert saved_in(tmp_path) == ["training.safetensors"]
    seen = []
    view = view_of(source(), checkpoints=tmp_path, progress=lambda done, total: seen.append((done, total)))
    again = made_by(name, source(), view=view, **SHORT)
    assert seen == [(12, 12)]
    assert again.digest == whole.digest
    assert (again.training, again.meta) == (whole.training, whole.meta)
    assert saved_in(tmp_path) == []


def test_progress_is_told_at_every_step_and_global_draws_are_left_alone():
    seen, before = [], torch.get_rng_state()
    made_by("topk", source(), view=view_of(source(), progress=lambda *one: seen.append(one)), **SHORT)
    assert seen == [(step, 12) for step in range(1, 13)]
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("fault", ["flip", "cut", "empty", "text", "folder"])
def test_a_broken_checkpoint_is_as_if_there_were_none(fault, tmp_path, always):
    whole = made_by("topk", source(), **SHORT)
    interrupted("topk", tmp_path, after=5)
    file = tmp_path / "training.safetensors"
    content = bytearray(file.read_bytes())
    content[len(content) - 40] ^= 1
    broken = {"flip": bytes(content), "cut": bytes(content[:-100]), "empty": b"", "text": b"not a checkpoint"}
    if fault == "folder":
        file.unlink()
        (file / "inside").mkdir(parents=True)
        with pytest.raises(MibenchError):
            made_by("topk", source(), view=view_of(source(), checkpoints=tmp_path), **SHORT)
        return
    file.write_bytes(broken[fault])
    seen = []
    view = view_of(source(), checkpoints=tmp_path, progress=lambda done, _: seen.append(done))
    assert made_by("topk", source(), view=view, **SHORT).digest == whole.digest
    assert seen[0] == 1


@pytest.mark.parametrize("change", [{"k": 3}, {"lr": 0.02}, {"width": 40}, {"tokens": 256 * 13}])
def test_a_checkpoint_of_another_training_is_not_used(change, tmp_path, always):
    interrupted("topk", tmp_path, after=5)
    view = view_of(source(), checkpoints=tmp_path)
    assert (
        made_by("topk", source(), view=view, **SHORT | change).digest
        == made_by("topk", source(), **SHORT | change).digest
    )


def test_checkpoints_are_written_rarely_and_only_where_there_is_a_folder(tmp_path):
    interrupted("topk", tmp_path / "deep", after=5)
    assert saved_in(tmp_path / "deep") == []


class Interrupted(Planted):
    """Ctrl-C comes in the middle of a step, so often."""

    at, times = SAMPLE_TOKENS // 256 + 3, 1

    def batches(self, size, seed, *, skip=0):
        for batch in super().batches(size, seed, skip=skip):
            self.at -= 1
            for _ in range(self.times if self.at == 0 else 0):
                signal.raise_signal(signal.SIGINT)
            yield batch


def test_a_training_stopped_by_ctrl_c_keeps_its_last_whole_step_and_goes_on_to_the_same_bytes(tmp_path):
    whole = made_by("topk", source(), **SHORT)
    told = []
    view = view_of(source(Interrupted), checkpoints=tmp_path, saved=lambda: told.append(saved_in(tmp_path)))
    with pytest.raises(KeyboardInterrupt):
        made_by("topk", view.source, view=view, **SHORT)
    assert told == [["training.safetensors"]]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    seen = []
    view = view_of(source(), checkpoints=tmp_path, progress=lambda done, _: seen.append(done))
    assert made_by("topk", source(), view=view, **SHORT).digest == whole.digest
    assert seen[0] == 4


def test_a_second_ctrl_c_is_not_held_back(tmp_path):
    twice = source(Interrupted)
    twice.times = 2
    with pytest.raises(KeyboardInterrupt):
        made_by("topk", twice, view=view_of(twice, checkpoints=tmp_path), **SHORT)
    assert saved_in(tmp_path) == []


def test_a_random_dictionary_is_not_the_features_of_data_from_the_same_seed():
    class Same(Planted):
        def __init__(self):
            super().__init__(tokens=5000)
            rows = torch.randn(32, 16, generator=torch.Generator().manual_seed(0))
            self.features = (rows / rows.norm(dim=1, keepdim=True)).numpy()

    assert recovered(made_by("random-dictionary", Same(), k=2), Same()) < 0.7


def test_frozen_rows_are_those_of_the_random_dictionary_and_soft_ones_stay_near():
    start = made_by("random-dictionary", source(), k=2).tensors["w_dec"]
    frozen, soft = (made_by("frozen-decoder", source(), soft=soft, **SHORT) for soft in (1.0, 0.8))
    np.testing.assert_array_equal(frozen.tensors["w_dec"], start)
    cosines = (soft.tensors["w_dec"] * start).sum(1)
    assert 0.8 - 1e-5 <= cosines.min() < 0.999
    assert (frozen.architecture, frozen.rule.activation) == ("frozen-decoder", "topk")


def test_families_are_named_and_batch_ones_carry_a_threshold():
    made = {name: made_by(name, source(), **SHORT) for name in ("batchtopk", "matryoshka", "gated", "jumprelu")}
    assert {name: one.architecture for name, one in made.items()} == {name: name for name in made}
    assert {made[name].rule.activation for name in ("batchtopk", "matryoshka", "jumprelu")} == {"jumprelu"}
    assert len(set(made["batchtopk"].tensors["threshold"].tolist())) == 1
    assert made["matryoshka"].training.groups == (2, 2, 4, 8, 16)
    assert set(made["gated"].tensors) == {"w_enc", "w_dec", "b_dec", "b_gate", "r_mag", "b_mag"}
    assert made["jumprelu"].rule.pre_bias is False


def test_snapshots_are_dictionaries_along_one_training_and_the_last_is_its_result():
    found = snapshots(view_of(source()), "topk", QUICK | {"k": 2}, (0.05, 0.3, 1))
    whole = made_by("topk", source(), k=2)
    assert [one.training.tokens for one in found] == [512, 2560, 8960]
    assert found[-1].digest == whole.digest
    scores = [explained(one, source()) for one in found]
    assert scores[0] < scores[1] < scores[2]


@pytest.mark.parametrize("fractions", [(), (0.5, 0.2), (0, 1), (0.5, 1.5), (0.5, 0.5)])
def test_shares_that_are_none_are_refused(fractions):
    with pytest.raises(MethodError, match="no shares"):
        snapshots(view_of(source()), "topk", {}, fractions)


def test_a_method_that_does_not_train_has_no_snapshots():
    with pytest.raises(MethodError, match="no course of training"):
        snapshots(view_of(source()), "sae-pca", {}, (0.5, 1))


@pytest.mark.parametrize(
    ("name", "params", "what"),
    [
        ("topk", {"k": 33}, "33 latents of a token cannot be kept"),
        ("random-dictionary", {"k": 33}, "33 latents of a token cannot be kept"),
        ("batchtopk", {"tokens": 255}, "A step takes 256 tokens, and there are 255"),
        ("relu", {"batch": 10_000}, "A step takes 10000 tokens, and there are 9000"),
        ("gated", {"l0": 20}, "An L0 of 20 cannot be aimed at"),
        ("jumprelu", {"l0": 0}, "jumprelu cannot take l0=0"),
        ("topk", {"width": 0}, "topk cannot take width=0"),
        ("topk", {"lr": -1}, "topk cannot take lr=-1"),
        ("topk", {"width": 2**21, "lr": "nan"}, "topk cannot take lr"),
        ("relu", {"coefficient": "inf"}, "relu cannot take coefficient"),
        ("matryoshka", {"groups": "0.5,0.4"}, "32 latents cannot be put into groups of 0.5, 0.4"),
        ("matryoshka", {"groups": "0.01,0.99"}, "32 latents cannot be put into groups"),
        ("frozen-decoder", {"soft": 0}, "frozen-decoder cannot take soft=0"),
        ("sae-pca", {"width": 17}, "17 of 17 principal components cannot be kept"),
        ("sae-pca", {"width": 4, "k": 5}, "5 of 4 principal components cannot be kept"),
    ],
)
def test_bad_parameters_are_refused_with_what_why_and_do(name, params, what):
    with pytest.raises(MibenchError) as caught:
        made_by(name, source(), **{"k": 2} | params if name != "sae-pca" else params)
    assert what in caught.value.what
    assert caught.value.why
    assert caught.value.do


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_activations_without_a_scale_are_refused(value):
    flat = source()
    flat.inputs = flat.targets = torch.full_like(flat.inputs, value)
    with pytest.raises(MethodError, match="cannot be scaled"):
        made_by("topk", flat, **SHORT)


def test_a_loss_that_is_no_number_stops_the_training():
    class Breaks(Planted):
        def batches(self, size, seed, *, skip=0):
            for place, batch in enumerate(super().batches(size, seed, skip=skip)):
                yield batch if place < 35 else Activations(*(2 * [batch.inputs * float("nan")]))

    with pytest.raises(MethodError, match="loss of training step 35 is nan"):
        made_by("relu", source(Breaks), l0=2.0, tokens=256 * 40)


def test_a_recipe_is_one_epoch_and_a_rate_by_width_unless_told():
    recipe = recipe_for(source(), 1024, None, 256, None)
    assert (recipe.steps, recipe.lr) == (35, scaled_rate(1024))
    assert [scaled_rate(width) for width in (2**14, 2**12, 16)] == pytest.approx([8e-4, 1.6e-3, 0.01])
    assert recipe_for(source(), 8, 30_000, 100, 0.1).steps == 300
    with pytest.raises(MethodError, match="too large"):
        recipe_for(SimpleNamespace(n_tokens=10_000, d_in=2**17, d_out=2**17), 2**21, None, 256, None)


def test_the_rate_rises_stays_and_falls_and_the_penalty_rises_and_stays():
    rates = [warm_and_decay(step, 100) for step in range(100)]
    assert rates[:6] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1])
    assert rates[79:82] == pytest.approx([1, 1, 0.95])
    assert rates[-1] == pytest.approx(0.05)
    assert [warmed(step, 100) for step in (0, 4, 99)] == pytest.approx([0.2, 1, 1])
    assert all(0 < warm_and_decay(step, 1) <= 1 for step in (0,))


def test_batches_of_the_planted_source_can_be_skipped():
    one, other = (source().batches(2000, 3, skip=skip) for skip in (0, 6))
    for left, right in itertools.islice(zip(itertools.islice(one, 6, None), other, strict=False), 3):
        assert torch.equal(left.inputs, right.inputs)
