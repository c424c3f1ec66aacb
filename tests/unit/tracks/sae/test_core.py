"""The core family from text to metrics, against plain hooks and loops in float64."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from core_family import SAE, SETTINGS, TRANSCODER, evaluation, ground, identity, language_model, linear, subject
from dictionary_examples import ARCHITECTURES, example
from plain_hooks import PlainHooks

from mibench.core.errors import ArtifactError, UsageError
from mibench.core.specs import Convention
from mibench.metrics.sae.core import core_metrics
from mibench.metrics.sae.saebench_core import saebench_metrics
from mibench.tasks.sae.dictionary_task import load_dictionary_task
from mibench.tracks.sae.core import CALIBRATION, MASSIVE, CoreEvaluation, prepare
from mibench.tracks.sae.evaluation import Subject


def values(metrics: dict[str, Any]) -> dict[str, float | None]:
    return {name: one.value for name, one in metrics.items()}


def close(one: dict[str, Any], other: dict[str, Any], within: float = 1e-9) -> bool:
    a, b = values(one), values(other)
    return a.keys() == b.keys() and all(
        (a[name] is None) == (b[name] is None) and (a[name] is None or abs(a[name] - b[name]) <= within) for name in a
    )


class Naive:
    """The same from whole passes under hooks, token by token."""

    def __init__(self, tested: CoreEvaluation, place: Any = SAE, name: str = "llama") -> None:
        self.hf, self.place = language_model(name).hf, place
        self.plain = PlainHooks(name, self.hf)
        self.ids = torch.from_numpy(tested.blocks.ids).long()
        self.scored = torch.from_numpy(tested.blocks.scored)
        self.inputs, self.targets = (self.plain.read(self.ids, point) for point in (place.hook, place.target))

    def reconstruction(self, one: Subject, massive: float = MASSIVE) -> dict[str, float]:
        x, reads = self.targets[self.scored].numpy(), self.inputs[self.scored]
        latents = one.coder.encode(reads)
        made, f = one.coder.decode(latents, reads).numpy(), latents.numpy()
        error, mean = ((x - made) ** 2).sum(), x.mean(0)
        norms, out = np.linalg.norm(x, axis=1), np.linalg.norm(made, axis=1)
        first = norms[: int(self.scored[:CALIBRATION].sum())]
        kept = norms <= massive * np.sort(first)[(len(first) - 1) // 2]
        own = x[kept]
        return {
            "explained_variance_ordinary": 1 - ((own - made[kept]) ** 2).sum() / ((own - own.mean(0)) ** 2).sum(),
            "explained_variance_global": 1 - error / ((x - mean) ** 2).sum(),
            "fvu": error / ((x - mean) ** 2).sum(),
            "mse": error / x.size,
            "cosine": np.mean((x * made).sum(1) / (norms * out)),
            "shrinkage": np.mean(out / norms),
            "reconstruction_bias": (made**2).sum() / (x * made).sum(),
            "l0": np.mean((f != 0).sum(1)),
            "l1": np.mean(np.abs(f).sum(1)),
            "dead": np.mean(~(f != 0).any(0)),
            "density_over_10_percent": np.mean((f != 0).mean(0) > 0.1),
            "density_median": np.median((f != 0).mean(0)),
        }

    def losses(
        self, contexts: int, put: torch.Tensor, where: torch.Tensor | None = None, *, whole: bool = False
    ) -> Any:
        """Mean cross-entropy and divergence with ``put`` in place of scored activations of the first contexts."""
        ids, scored = self.ids[:contexts], self.scored[:contexts]
        where = scored if where is None else where[:contexts]
        run = self.plain.logits(
            ids, self.place.target, lambda old: torch.where(where[..., None], put[:contexts].to(old), old)
        )
        p, q = self.hf(input_ids=ids).logits.log_softmax(-1), run.log_softmax(-1)
        counted = scored[:, :-1] if whole else scored[:, :-1] & scored[:, 1:]
        ce = -q[:, :-1].gather(-1, ids[:, 1:, None])[..., 0]
        kl = (p.exp() * (p - q)).sum(-1)[:, :-1]
        return float(ce[counted].mean()), float(kl[counted].mean())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_reconstruction_and_sparsity_are_what_loops_over_tokens_give(tmp_path: Path, architecture: str) -> None:
    tested = evaluation(tmp_path, replace(SETTINGS, ce_tokens=0))
    one = subject(example(architecture, 16, 24))
    (scores,) = tested.score([one])
    for name, expected in Naive(tested).reconstruction(one).items():
        assert scores.metrics[name].value == pytest.approx(expected, abs=1e-9), name


def test_tokens_with_massive_activations_are_left_out_of_what_is_said_of_ordinary_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mibench.tracks.sae.core.MASSIVE", 1.1)
    tested = evaluation(tmp_path, replace(SETTINGS, ce_tokens=0))
    one = subject(example("relu", 16, 24))
    (scores,) = tested.score([one])
    assert 0 < scores.tables["contexts"]["ordinary"].sum() < scores.tables["contexts"]["tokens"].sum()
    expected = Naive(tested).reconstruction(one, massive=1.1)
    assert expected["explained_variance_ordinary"] != pytest.approx(expected["explained_variance_global"], abs=1e-3)
    for name in ("explained_variance_ordinary", "explained_variance_global"):
        assert scores.metrics[name].value == pytest.approx(expected[name], abs=1e-9), name


def test_a_transcoder_reads_one_place_and_is_held_against_another(tmp_path: Path) -> None:
    tested = evaluation(tmp_path, place=TRANSCODER)
    one = subject(example("relu", 16, 24, d_out=16, skip=True))
    (scores,) = tested.score([one])
    naive = Naive(tested, TRANSCODER)
    for name, expected in naive.reconstruction(one).items():
        assert scores.metrics[name].value == pytest.approx(expected, abs=1e-9), name
    contexts = len(scores.tables["losses"])
    ce, _ = naive.losses(contexts, one.coder.reconstruct(naive.inputs))
    clean, _ = naive.losses(contexts, naive.targets)
    assert scores.metrics["ce_increase"].value == pytest.approx(ce - clean, abs=1e-9)
    assert scores.metrics["encoder_decoder_cosine"].value is None


@pytest.mark.parametrize("name", ["llama", "gemma2", "gpt2", "gpt_neox"])
def test_losses_recovered_are_those_of_whole_passes_with_hooks(tmp_path: Path, name: str) -> None:
    tested = evaluation(tmp_path, replace(SETTINGS, pool=1), model=language_model(name))
    one = subject(example("topk", 16, 24))
    (scores,) = tested.score([one])
    naive, contexts = Naive(tested, name=name), len(scores.tables["losses"])
    n_scored = int(naive.scored.sum())
    drawn = naive.targets[naive.scored][np.random.default_rng([0, 0]).choice(n_scored, 1, replace=False)[0]]
    clean, _ = naive.losses(contexts, naive.targets)
    ce, kl = naive.losses(contexts, one.coder.reconstruct(naive.inputs))
    put = {
        "zero": torch.zeros_like(naive.targets),
        "mean": naive.targets[naive.scored].mean(0).expand_as(naive.targets),
        "resample": drawn.expand_as(naive.targets),
    }
    for ablation, each in put.items():
        ce_ablated, kl_ablated = naive.losses(contexts, each)
        recovered = scores.metrics[f"kl_recovered_{ablation}"].value
        assert recovered == pytest.approx(1 - kl / kl_ablated, abs=1e-8)
        table = scores.tables["losses"]
        assert table[f"ce_{ablation}"].sum() / table["tokens"].sum() == pytest.approx(ce_ablated, abs=1e-9)
        # A random model's losses may fall under ablation: then nothing can be recovered.
        found = scores.metrics[f"ce_recovered_{ablation}"]
        if ce_ablated - clean > 1e-6 * ce_ablated:
            assert found.value == pytest.approx((ce_ablated - ce) / (ce_ablated - clean), rel=1e-6)
        else:
            assert found.value is None
    assert scores.metrics["ce_increase"].value == pytest.approx(ce - clean, abs=1e-9)
    assert scores.metrics["kl_spliced"].value == pytest.approx(kl, abs=1e-9)


def test_resampled_activations_are_scored_ones_and_differ_from_token_to_token(tmp_path: Path) -> None:
    tested = evaluation(tmp_path)
    tested.score([subject(identity())])
    targets = tested._targets
    naive = Naive(tested)
    scored = naive.targets[naive.scored]
    nearest = (targets.pool[:, None] - scored).abs().sum(-1).amin(1)
    assert targets.pool.shape == (16, 16)
    assert float(nearest.max()) < 1e-12
    draws = tested._replacements(targets).draws
    assert draws.shape == (len(tested._losses), 8)
    assert len(np.unique(draws)) > 8


def test_the_identity_reconstructs_all_and_loses_nothing(tmp_path: Path) -> None:
    (scores,) = evaluation(tmp_path).score([subject(identity())])
    found = values(scores.metrics)
    for name in ("explained_variance_global", "cosine", "shrinkage", "reconstruction_bias"):
        assert found[name] == pytest.approx(1.0, abs=1e-9)
    assert found["kl_spliced"] == pytest.approx(0.0, abs=1e-9)
    assert found["ce_increase"] == pytest.approx(0.0, abs=1e-9)
    assert found["kl_recovered_resample"] == pytest.approx(1.0, abs=1e-9)
    assert found["l0"] == 16
    assert found["dead"] == 0
    assert found["decoder_mean_cosine"] == 0


def test_several_dictionaries_at_once_are_scored_as_each_alone_and_again(tmp_path: Path) -> None:
    tested = evaluation(tmp_path)
    several = [subject(example(name, 16, 24, seed)) for seed, name in enumerate(("relu", "topk", "gated"))]
    together = tested.score(several)
    for one, scores in zip(several, together, strict=True):
        for again in (tested.score([one])[0], evaluation(tmp_path).score([one])[0]):
            for name, table in scores.tables.items():
                assert table.equals(again.tables[name]), name
            assert scores.metrics == again.metrics


@pytest.mark.parametrize("convention", [Convention.MIBENCH, Convention.SAEBENCH])
def test_sizes_of_batches_change_nothing_but_rounding(tmp_path: Path, convention: Convention) -> None:
    settings, one = replace(SETTINGS, tokens=10_000), subject(example("jumprelu", 16, 24))
    found = [
        evaluation(tmp_path, settings, batch_tokens=size, convention=convention).score([one])[0].metrics
        for size in (8, 40, 5000)
    ]
    assert close(found[0], found[1])
    assert close(found[0], found[2])


def test_stored_activations_give_the_same_bytes(tmp_path: Path) -> None:
    one = subject(example("relu", 16, 24))
    streamed = evaluation(tmp_path).score([one])[0]
    for _ in range(2):
        stored = evaluation(tmp_path, cache=tmp_path / "cache").score([one])[0]
        assert all(table.equals(stored.tables[name]) for name, table in streamed.tables.items())


@pytest.mark.parametrize("convention", [Convention.MIBENCH, Convention.SAEBENCH])
def test_metrics_follow_from_the_tables_alone(tmp_path: Path, convention: Convention) -> None:
    scores = evaluation(tmp_path, convention=convention).score([subject(example("relu", 16, 24))])[0]
    compute = core_metrics if convention is Convention.MIBENCH else saebench_metrics
    kept = {}
    for name, table in scores.tables.items():
        table.to_parquet(tmp_path / f"{name}.parquet")
        kept[name] = type(table)(table)
    assert compute(kept) == scores.metrics


def test_every_number_says_what_it_rests_on(tmp_path: Path) -> None:
    tested = evaluation(tmp_path)
    scores = tested.score([subject(example("relu", 16, 24))])[0]
    for name, one in scores.metrics.items():
        assert one.value is None or one.ci_source == "documents" or one.ci_reason, name
        assert one.n, name
    assert tested.n_examples == len(scores.tables["contexts"])
    assert scores.metrics["l0"].n == scores.tables["contexts"]["document"].nunique()
    assert scores.metrics["ce_increase"].n == scores.tables["losses"]["document"].nunique()
    assert scores.metrics["dead"].n == scores.tables["contexts"]["tokens"].sum()
    assert list(scores.tables["latents"]["latent"]) == list(range(24))


def test_a_latent_that_never_fires_is_dead_and_has_no_mean(tmp_path: Path) -> None:
    dictionary = example("relu", 16, 24)
    dictionary.tensors["b_enc"][[3, 5]] = -1e6
    scores = evaluation(tmp_path, replace(SETTINGS, ce_tokens=0)).score([subject(dictionary)])[0]
    latents = scores.tables["latents"]
    assert (latents["active"][[3, 5]] == 0).all()
    assert latents["mean_activation"][[3, 5]].isna().all()
    assert latents["max_activation"][[3, 5]].isna().all()
    alive = latents[latents["active"] > 0]
    assert (alive["mean_activation"] <= alive["max_activation"] + 1e-12).all()
    assert scores.metrics["dead"].value == pytest.approx((latents["active"] == 0).mean())


def test_directions_of_latents_are_compared_as_loops_would(tmp_path: Path) -> None:
    dictionary = example("relu", 16, 24)
    dictionary.tensors["w_dec"][7] = 0
    dictionary.tensors["w_dec"][9] = 2 * dictionary.tensors["w_dec"][8]
    scores = evaluation(tmp_path, replace(SETTINGS, ce_tokens=0)).score([subject(dictionary)])[0]
    latents, rows = scores.tables["latents"], dictionary.tensors["w_dec"].astype(float)
    kept = [row for row in range(24) if row != 7]
    unit = {row: rows[row] / np.linalg.norm(rows[row]) for row in kept}
    for row in kept:
        cosines = [float(unit[row] @ unit[other]) for other in kept if other != row]
        assert latents["decoder_mean_cosine"][row] == pytest.approx(np.abs(cosines).mean(), abs=1e-6)
        assert latents["decoder_max_cosine"][row] == pytest.approx(max(cosines), abs=1e-6)
        column = dictionary.tensors["w_enc"][:, row].astype(float)
        cosine = float(unit[row] @ column / np.linalg.norm(column))
        assert latents["encoder_decoder_cosine"][row] == pytest.approx(cosine, abs=1e-9)
    assert latents["decoder_max_cosine"][8] == pytest.approx(1.0, abs=1e-6)
    assert latents.loc[7, ["decoder_mean_cosine", "decoder_max_cosine", "encoder_decoder_cosine"]].isna().all()


def test_without_loss_tokens_the_losses_are_null_with_the_reason(tmp_path: Path) -> None:
    scores = evaluation(tmp_path, replace(SETTINGS, ce_tokens=0)).score([subject(identity())])[0]
    assert "losses" not in scores.tables
    assert scores.metrics["ce_recovered_zero"].value is None
    assert "ce_tokens" in scores.metrics["ce_recovered_zero"].reason


def test_as_many_contexts_as_the_loss_tokens_need_are_run(tmp_path: Path) -> None:
    tested = evaluation(tmp_path, replace(SETTINGS, ce_tokens=20))
    scores = tested.score([subject(identity())])[0]
    cumulated = tested.blocks.scored.sum(1).cumsum()
    n = len(scores.tables["losses"])
    assert cumulated[n - 1] >= 20 > cumulated[n - 2]
    everything = evaluation(tmp_path, replace(SETTINGS, ce_tokens=10**6)).score([subject(identity())])[0]
    assert len(everything.tables["losses"]) == len(everything.tables["contexts"])


def test_the_limit_is_a_number_of_contexts(tmp_path: Path) -> None:
    tested = evaluation(tmp_path, limit=5)
    assert tested.n_examples == 5
    assert len(tested.score([subject(identity())])[0].tables["contexts"]) == 5


def test_the_digest_names_data_and_seed_and_runs_no_model(tmp_path: Path) -> None:
    def digest(settings: Any = SETTINGS, **changes: Any) -> str:
        return evaluation(tmp_path, settings, model=Silent(), **changes).digest

    base = digest()
    assert base == digest(batch_tokens=8)
    others = [digest(seed=1), digest(split="validation"), digest(limit=3), digest(replace(SETTINGS, ce_tokens=0))]
    assert len({base, *others}) == 5


class Silent:
    """A model that must not be touched."""


def test_progress_goes_up_to_its_total(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    tested = evaluation(tmp_path)
    scores = tested.score([subject(identity())], lambda done, total: seen.append((done, total)))
    total = len(scores[0].tables["contexts"]) + len(scores[0].tables["losses"])
    assert seen == sorted(seen)
    assert seen[-1] == (total, total)


class Count:
    """Counts forward passes."""

    def __init__(self) -> None:
        self.forwards = 0

    def forward(self, examples: int) -> None:
        self.forwards += examples


def test_runs_that_do_not_depend_on_the_dictionary_are_made_once(tmp_path: Path) -> None:
    count = Count()
    tested = evaluation(tmp_path, counter=count, batch_tokens=10_000)
    one = subject(identity())
    tested.score([one])
    first, count.forwards = count.forwards, 0
    tested.score([one])
    n, losses = tested.n_examples, len(tested._losses)
    # Two of three layers for the activations; the clean run; a third for the dictionary and each ablation.
    # Where nothing is kept, what is massive takes a run of its own.
    assert first == 2 * round(2 / 3 * n) + losses + round(losses / 3) + round(3 * losses / 3)
    # The clean runs of the losses are kept.
    assert count.forwards == round(2 / 3 * n) + round(losses / 3)


def test_no_dictionaries_are_no_work(tmp_path: Path) -> None:
    assert evaluation(tmp_path, model=Silent()).score([]) == []


def test_a_dictionary_of_another_width_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="does not fit") as caught:
        evaluation(tmp_path).score([subject(identity(12))])
    assert "residual-post.L1 has 16" in caught.value.why


def test_a_model_is_needed_and_mib_has_no_such_family(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs a model"):
        prepare(SETTINGS, ground(tmp_path, network=None))
    with pytest.raises(UsageError, match="no convention"):
        prepare(SETTINGS, ground(tmp_path, convention=Convention.MIB))


def test_the_task_is_registered() -> None:
    task = load_dictionary_task("sae-core")
    assert (task.family, task.settings.tokens, task.settings.ce_tokens) == ("core", 200_000, 30_000)


def test_saebench_names_are_all_there_and_computed_as_there(tmp_path: Path) -> None:
    tested = evaluation(tmp_path, replace(SETTINGS, tokens=10_000), convention=Convention.SAEBENCH)
    one = subject(example("relu", 16, 24))
    scores = tested.score([one])[0]
    found, naive = values(scores.metrics), Naive(tested)
    legacy, n = [], len(naive.ids)
    assert n > 32
    for start in range(0, n, 16):
        rows = slice(start, start + 16)
        x = naive.targets[rows][naive.scored[rows]]
        made = one.coder.reconstruct(naive.inputs[rows][naive.scored[rows]])
        legacy.append(1 - (x - made).square().sum(-1) / (x - x.mean(0)).square().sum(-1))
    assert found["explained_variance_legacy"] == pytest.approx(float(torch.cat(legacy).mean()), abs=1e-9)
    x, reads = naive.targets[naive.scored], naive.inputs[naive.scored]
    latents, made = one.coder.encode(reads), one.coder.reconstruct(reads)
    square = x.square().sum(-1).mean()
    broken = 1 - (x - made).square().sum(-1).mean() / (square - x.square().mean() ** 2)
    assert found["explained_variance"] == pytest.approx(float(broken), abs=1e-9)
    assert found["l1"] == pytest.approx(float(latents.sum(-1).mean()), abs=1e-9)
    assert found["l2_norm_in"] == pytest.approx(float(x.norm(dim=-1).mean()), abs=1e-9)
    density = (latents != 0).double().mean(0)
    expected = float(density[density > 0.1].sum() / density.sum())
    assert found["normalized_freq_over_10_percent"] == pytest.approx(expected, abs=1e-9)
    assert found["frac_alive"] == pytest.approx(float((density > 0).double().mean()))
    encoders = one.dictionary.tensors["w_enc"].T.astype(float)
    cosines = (encoders @ encoders.T) / np.outer(*[np.linalg.norm(encoders, axis=1)] * 2)
    highest = (cosines - 2 * np.eye(24)).max(1).mean()
    assert found["average_max_encoder_cosine_sim"] == pytest.approx(highest, abs=1e-6)


def test_saebench_ablates_bos_too_and_counts_every_scored_input(tmp_path: Path) -> None:
    tested = evaluation(tmp_path, convention=Convention.SAEBENCH)
    one = subject(example("relu", 16, 24))
    scores = tested.score([one])[0]
    found, naive, n = values(scores.metrics), Naive(tested), len(scores.tables["losses"])
    everywhere = torch.ones_like(naive.scored)
    ablated, kl_ablated = naive.losses(n, torch.zeros_like(naive.targets), everywhere, whole=True)
    clean, _ = naive.losses(n, naive.targets, whole=True)
    ce, kl = naive.losses(n, one.coder.reconstruct(naive.inputs), whole=True)
    assert found["ce_loss_with_ablation"] == pytest.approx(ablated, abs=1e-9)
    assert found["ce_loss_without_sae"] == pytest.approx(clean, abs=1e-9)
    assert found["ce_loss_with_sae"] == pytest.approx(ce, abs=1e-9)
    assert found["kl_div_with_ablation"] == pytest.approx(kl_ablated, abs=1e-9)
    assert found["kl_div_score"] == pytest.approx(1 - kl / kl_ablated, abs=1e-8)


def test_every_saebench_name_is_in_the_record(tmp_path: Path) -> None:
    tested = evaluation(tmp_path, replace(SETTINGS, ce_tokens=0), convention=Convention.SAEBENCH)
    found = tested.score([subject(linear(np.eye(16), np.eye(16), np.zeros(16)))])[0].metrics
    assert set(found) == {
        "kl_div_score", "kl_div_with_ablation", "kl_div_with_sae", "ce_loss_score", "ce_loss_with_ablation",
        "ce_loss_with_sae", "ce_loss_without_sae", "explained_variance", "explained_variance_legacy", "mse", "cossim",
        "l2_norm_in", "l2_norm_out", "l2_ratio", "relative_reconstruction_bias", "l0", "l1",
        "total_tokens_eval_reconstruction", "total_tokens_eval_sparsity_variance", "freq_over_1_percent",
        "freq_over_10_percent", "normalized_freq_over_1_percent", "normalized_freq_over_10_percent",
        "average_max_encoder_cosine_sim", "average_max_decoder_cosine_sim", "frac_alive",
    }  # fmt: skip
    assert found["mse"].value is None
    assert "batch size" in found["mse"].reason


def test_large_dictionaries_are_applied_to_some_tokens_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = subject(example("relu", 16, 24))
    whole = evaluation(tmp_path).score([one])[0]
    for module in ("core_sums", "core_losses"):
        monkeypatch.setattr(f"mibench.tracks.sae.{module}.MAX_LATENTS", 24 * 5)
    monkeypatch.setattr("mibench.tracks.sae.core_latents.CHUNK", 24 * 5)
    assert close(whole.metrics, evaluation(tmp_path).score([one])[0].metrics)
