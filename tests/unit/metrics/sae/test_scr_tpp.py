"""SCR and TPP on dictionaries made by hand, and their parts against torch and against plain decoding."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from mibench.metrics.sae.ablated_probes import AUDIT, Concept, Pooled, accuracy, effects, make_concept, strongest
from mibench.metrics.sae.adamw_probe import AdamWRecipe, train_probe
from mibench.metrics.sae.logistic import Linear
from mibench.metrics.sae.scr import Pair, scr, scr_dir1, scr_metric, scr_metrics
from mibench.metrics.sae.tpp import tpp, tpp_metrics, tpp_total
from mibench.records.saebench.mapping import PAIRS_LEFT_OUT

CLASSES = 3
ROWS = np.arange(60)


def one_latent_each() -> tuple[Pooled, list[Concept]]:
    """Three classes, each with a direction and a latent of its own; each probe reads its direction alone."""
    main = ROWS % CLASSES
    x = np.eye(CLASSES)[main]
    halves = ROWS[ROWS < 30], ROWS[ROWS >= 30]
    concepts = [
        Concept(str(one), main == one, *(balanced(half, main == one) for half in halves), probe(one))
        for one in range(CLASSES)
    ]
    return Pooled(x, x.copy(), np.eye(CLASSES)), concepts


def probe(axis: int, width: int = CLASSES) -> Linear:
    return Linear(np.eye(width)[axis], -0.5)


def balanced(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    few = labels[rows].sum()
    return np.concatenate([rows[labels[rows]], rows[~labels[rows]][:few]])


def crossed() -> tuple[Pooled, list[Pair]]:
    """Two attributes of ±1 with a latent each; the biased probe listens to the spurious one twice as much."""
    target, spurious = ROWS % 2 == 0, ROWS % 4 < 2
    x = np.stack([np.where(target, 1.0, -1.0), np.where(spurious, 1.0, -1.0)], axis=1)
    rows = ROWS[:28], ROWS[28:]
    concepts = [
        Concept(name, labels, *rows, Linear(np.eye(2)[axis], 0.0))
        for axis, (name, labels) in enumerate((("job", target), ("gender", spurious)))
    ]
    biased = Linear(np.array([1.0, 2.0]), 0.0)
    return Pooled(x, x.copy(), np.eye(2)), [Pair("job/gender", concepts[0], concepts[1], biased)]


def test_latents_that_are_the_classes_give_the_highest_tpp() -> None:
    found = tpp(*one_latent_each(), (1,))
    own = found["ablated"] == found["probe"]
    assert (found["clean"] == 1.0).all()
    assert (found["changed"][own] == 0.5).all()
    assert (found["changed"][~own] == 1.0).all()
    assert tpp_total(found) == pytest.approx(0.5)


def test_one_latent_for_everything_gives_no_tpp() -> None:
    pooled, concepts = one_latent_each()
    shared = Pooled(pooled.activations, np.ones((60, 1)) + 0.01 * pooled.latents[:, :1], np.ones((1, 3)))
    found = tpp(shared, concepts, (1,))
    own = found["ablated"] == found["probe"]
    # Ablating it pulls every probe down to its negatives: own and others lose the same.
    lost = found["clean"] - found["changed"]
    assert set(lost[own]) | set(lost[~own]) <= {0.0, 0.5}
    assert tpp_total(found) <= 0.0


def test_removing_the_spurious_latent_restores_the_target() -> None:
    found = scr(*crossed(), (1,))
    first = found[found["direction"] == "dir1"].iloc[0]
    assert (first["base"], first["oracle"], first["changed"]) == (0.5, 1.0, 1.0)
    metrics = scr_metrics(found.assign(set="s"), (1,), 2)
    assert metrics["scr_dir1_threshold_1"].value == 1.0
    assert metrics["scr_metric_threshold_1"].value == 1.0
    assert metrics["scr_dir2_threshold_1"].value is None
    assert "nothing to remove" in str(metrics["scr_dir2_threshold_1"].reason)


def test_a_tie_of_the_directions_is_null_with_the_reason() -> None:
    pooled, (pair,) = crossed()
    even = Pair("even", pair.target, pair.spurious, Linear(np.array([1.0, 1.0]), 0.0))
    found = scr(pooled, [even], (1,))
    bases = found.groupby("direction")["base"].first()
    assert bases["dir1"] == bases["dir2"] == 0.75
    metrics = scr_metrics(found.assign(set="s"), (1,), 2)
    assert metrics["scr_metric_threshold_1"].value is None
    assert "neither direction" in str(metrics["scr_metric_threshold_1"].reason)
    assert metrics["scr_dir1_threshold_1"].value == 1.0


def test_pairs_without_room_are_left_out_of_the_mean() -> None:
    row = {"pair": "p", "direction": "dir1", "n": 2, "base": 0.5, "oracle": 0.9, "changed": 0.7}
    full = row | {"pair": "q", "base": 0.9, "oracle": 0.9, "changed": 0.2}
    worse = row | {"pair": "r", "base": 0.9, "oracle": 0.8, "changed": 0.2}
    assert scr_dir1(pd.DataFrame([row, full, worse])) == pytest.approx(0.5)
    assert isinstance(scr_dir1(pd.DataFrame([full])), str)


def pairs_of_one_set(*bases: tuple[float, float]) -> pd.DataFrame:
    """Pairs with these accuracies of the biased probe in both directions, and an oracle of .9."""
    rows = [
        {"set": "s", "pair": f"p{index}", "direction": direction, "n": 2, "base": base, "oracle": 0.9, "changed": 0.85}
        for index, pair in enumerate(bases)
        for direction, base in zip(("dir1", "dir2"), pair, strict=True)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("bases", "left_out"),
    [
        (((0.5, 0.8), (0.6, 0.7)), {"dir1": 0, "dir2": 0, "metric": 0}),
        (((0.5, 0.8), (0.6, 0.9)), {"dir1": 0, "dir2": 1, "metric": 0}),
        (((0.5, 0.8), (0.7, 0.7)), {"dir1": 0, "dir2": 0, "metric": 1}),
        (((0.5, 0.8), (0.9, 0.9), (0.9, 0.95)), {"dir1": 2, "dir2": 2, "metric": 2}),
    ],
)
def test_a_number_that_leaves_pairs_out_says_how_many(bases, left_out) -> None:
    found = scr_metrics(pairs_of_one_set(*bases), (2,), 4)
    for name, count in left_out.items():
        start = f"{PAIRS_LEFT_OUT}: {count}; " if count else "as SAEBench, without one; "
        assert found[f"scr_{name}_threshold_2"].ci_reason == f"{start}{AUDIT}"


def test_a_set_without_a_number_counts_as_left_out() -> None:
    usable, full = pairs_of_one_set((0.5, 0.8)), pairs_of_one_set((0.9, 0.95)).assign(set="t")
    found = scr_metrics(pd.concat([usable, full]), (2,), 4)["scr_dir1_threshold_2"]
    assert (found.value, found.n) == (pytest.approx(0.875), 1)
    assert f"{PAIRS_LEFT_OUT}: 1;" in str(found.ci_reason)


def test_the_direction_is_the_one_that_starts_lower() -> None:
    rows = [
        {"pair": pair, "direction": direction, "n": 2, "base": base, "oracle": 1.0, "changed": changed}
        for pair, direction, base, changed in (
            ("p", "dir1", 0.6, 0.8),
            ("p", "dir2", 0.7, 1.0),
            ("q", "dir1", 0.8, 0.8),
            ("q", "dir2", 0.5, 0.75),
        )
    ]
    assert scr_metric(pd.DataFrame(rows)) == pytest.approx((0.5 + 0.5) / 2)


def test_more_latents_than_there_are_give_null_and_every_number_is_marked() -> None:
    pooled, concepts = one_latent_each()
    found = tpp_metrics(tpp(pooled, concepts, (2,)).assign(set="s"), (2, 5), 3)
    assert found["tpp_threshold_5_total_metric"].value is None
    assert "3 latents" in str(found["tpp_threshold_5_total_metric"].reason)
    assert AUDIT in str(found["tpp_threshold_2_total_metric"].ci_reason)
    both = scr_metrics(scr(*crossed(), (2,)).assign(set="s"), (2, 5), 2)
    assert both["scr_metric_threshold_5"].reason == "the dictionary has 2 latents, fewer than 5"


def test_sets_are_averaged() -> None:
    table = tpp(*one_latent_each(), (1,))
    nothing = table.assign(changed=table["clean"])
    joined = pd.concat([table.assign(set="a"), nothing.assign(set="b")])
    assert tpp_metrics(joined, (1,), 3)["tpp_threshold_1_total_metric"].value == pytest.approx(0.25)


def test_ablated_accuracy_agrees_with_decoding_every_token_with_the_error_added_back() -> None:
    rng = np.random.default_rng(0)
    tokens, latents = rng.normal(size=(20, 5, 4)), np.maximum(rng.normal(size=(20, 5, 7)), 0.0)
    decoder, bias = rng.normal(size=(7, 4)), rng.normal(size=4)
    labels = ROWS[:20] % 2 == 0
    reads = Linear(rng.normal(size=4), 0.1)
    pooled = Pooled(tokens.mean(1), latents.mean(1), decoder)
    concept = Concept("c", labels, ROWS[:10], ROWS[10:20], reads)
    ablated = np.array([1, 4, 6])
    kept = latents.copy()
    kept[..., ablated] = 0.0
    error = tokens - (latents @ decoder + bias)
    changed = kept @ decoder + bias + error
    scores = changed.mean(1)[10:20] @ reads.weights + reads.bias
    assert accuracy(pooled, concept, reads, ablated) == np.mean((scores > 0) == labels[10:20])
    assert accuracy(pooled, concept, reads) == accuracy(pooled, concept, reads, np.array([], dtype=np.int64))


def test_effects_are_differences_on_train_times_the_decoder_seen_by_the_probe() -> None:
    pooled, concepts = one_latent_each()
    own = effects(pooled, concepts[0], clamped=True)
    assert own.tolist() == [1.0, 0.0, 0.0]
    against = Concept("not", ~concepts[0].labels, concepts[0].train, concepts[0].test, concepts[0].probe)
    assert effects(pooled, against, clamped=True).tolist() == [0.0, 0.0, 0.0]
    assert effects(pooled, against, clamped=False).tolist() == [-1.0, 0.0, 0.0]


def test_the_strongest_are_taken_in_order_and_never_those_without_effect() -> None:
    assert strongest(np.array([0.0, 2.0, 5.0, 2.0, 0.0, -1.0]), 3).tolist() == [2, 1, 3]
    assert strongest(np.array([0.0, 2.0, 0.0]), 3).tolist() == [1]


@pytest.mark.parametrize("steps", [1, 40])
def test_the_probe_is_trained_as_torch_does_it(steps: int) -> None:
    rng = np.random.default_rng(2)
    x, labels = rng.normal(size=(24, 3)), rng.random(24) < 0.5
    recipe = AdamWRecipe(steps=steps, batch=8, rate=0.05, l1=0.01, seed=5)
    found = train_probe(x, labels, recipe)
    layer = torch.nn.Linear(3, 1, dtype=torch.float64)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.05, weight_decay=0.01)
    generator = np.random.Generator(np.random.PCG64(5))
    done = 0
    while done < steps:
        for rows in np.split(generator.permutation(24), 3)[: steps - done]:
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                layer(torch.tensor(x[rows]))[:, 0], torch.tensor(labels[rows], dtype=torch.float64)
            )
            optimizer.zero_grad()
            (loss + 0.01 * layer.weight.abs().sum()).backward()
            optimizer.step()
            done += 1
    assert np.allclose(found.weights, layer.weight.detach().numpy()[0], atol=1e-9)
    assert found.bias == pytest.approx(layer.bias.item(), abs=1e-9)


def test_a_trained_concept_reads_its_direction() -> None:
    pooled, concepts = one_latent_each()
    rows = concepts[1].train, concepts[1].test
    made = make_concept("1", pooled.activations, concepts[1].labels, rows, AdamWRecipe(steps=2000))
    assert accuracy(pooled, made, made.probe) == 1.0
    again = make_concept("1", pooled.activations, concepts[1].labels, rows, AdamWRecipe(steps=2000))
    assert made.probe.weights.tobytes() == again.probe.weights.tobytes()
