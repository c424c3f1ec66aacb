"""Pictures of dictionaries' records through the command line."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mibench.artifacts.dictionaries.dictionary import Dictionary, Place, Rule
from mibench.artifacts.dictionaries.native import save_dictionary
from mibench.core.hook_points import HookPoint
from mibench.core.specs import Cell, DictionaryRef, MethodRef, ModelRef, TaskRef, Track
from mibench.metrics.sae.matching import closest, cosines, match
from mibench.records.record import DictionaryFacts, MetricValue, Problem, RunRecord
from mibench.records.store import Store
from mibench.tasks.sae.dictionary_task import load_dictionary_task
from mibench.tasks.synthetic.truth import make_truth

TOY = "sae-synthetic-toy"


def cell(method="topk", task="sae-core", seed=0, **params):
    generated = task.startswith("sae-synthetic")
    where = ("generated", "generated", 1) if generated else ("residual-post.L15", "sotu", 128)
    return Cell(
        track=Track.SAE,
        task=TaskRef(name=task, version=1, split="test", limit=40, digest="a" * 64),
        model=ModelRef(name="none" if generated else "smollm2-135m", digest="b" * 64),
        method=MethodRef(name=method, version=1, params=params, seed=seed),
        bos="prepend",
        dictionary=DictionaryRef(hook=where[0], corpus=where[1], context=where[2]),
    )


def number(value, **more):
    return MetricValue(
        value=value, ci_low=value - 0.01, ci_high=value + 0.01, ci_source="contexts", n=40, higher_is_better=True,
        floor=0.0, ceiling=1.0, **more,
    )  # fmt: skip


def facts(cell_, digest="c" * 64, d_sae=64):
    return DictionaryFacts(
        architecture="topk", d_in=8, d_sae=d_sae, sha256=digest, train_tokens=1000, seed=cell_.method.seed
    )


def add_core(store, method="topk", k=32, height=0.8, seed=0):
    where = cell(method, seed=seed, k=k)
    metrics = {
        "l0": MetricValue(value=float(k), ci_reason="none"),
        "explained_variance_global": number(height),
        "dead": MetricValue(value=0.25, ci_reason="none", higher_is_better=False),
    }
    tokens = 5000
    latents = pd.DataFrame({"latent": range(4), "tokens": tokens, "active": [0, 50, 500, 2500]})
    digest = f"{k:032x}{seed:032x}"
    return store.write(
        RunRecord(cell=where, status="ok", metrics=metrics, dictionary=facts(where, digest)), {"latents": latents}
    )


@pytest.fixture
def store(tmp_path):
    """A family of four sparsities, one of two, and one that failed."""
    made = Store(tmp_path / "records")
    for k, height in ((16, 0.7), (40, 0.8), (100, 0.9), (250, 0.95)):
        add_core(made, "topk", k, height)
    for k, height in ((32, 0.6), (64, 0.65)):
        add_core(made, "relu", k, height)
    problem = Problem(what="The method ran out of memory.", why="9 GiB were wanted.", do="Use less.")
    made.write(RunRecord(cell=cell("gated", k=8), status="failed", problem=problem))
    return made


def toy_dictionary(sae=64):
    recipe = load_dictionary_task(TOY).settings.recipe
    truth = make_truth(recipe)
    rng = np.random.default_rng(0)
    rows = truth.directions[:sae] + 0.05 * rng.normal(size=(sae, recipe.width))
    tensors = {"w_enc": rows.T, "b_enc": np.zeros(sae), "w_dec": rows, "b_dec": np.zeros(recipe.width)}
    arrays = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in tensors.items()}
    made = Dictionary(Place(TOY, HookPoint(0)), "relu", Rule("relu", pre_bias=False), arrays)
    return made, cosines(arrays["w_dec"], truth.directions)


def add_toy(store, found, similarity, **changes):
    matching, best = match(similarity), closest(similarity)
    rows = np.arange(len(best))
    features = pd.DataFrame({"latent": matching.latent, "cosine": matching.similarity} | changes)
    latents = pd.DataFrame({"feature": best, "cosine": similarity[rows, best], "fired": rows})
    samples = pd.DataFrame({"l0": np.full(200, 3.0)})
    where = cell("relu", TOY, l0=3)
    record = RunRecord(
        cell=where, status="ok", metrics={"mcc_decoder": number(0.9)}, dictionary=facts(where, found.digest)
    )
    return store.write(record, {"features": features, "latents": latents, "samples": samples})


@pytest.fixture
def toy(tmp_path):
    made = Store(tmp_path / "toy")
    found, similarity = toy_dictionary()
    add_toy(made, found, similarity)
    return made


def only(store):
    (path,) = store.folder.rglob("*.json")
    return path


def test_families_of_a_folder_are_drawn_over_l0(run, store, tmp_path):
    drawn = run("plot", "frontier", store.folder, "--out", tmp_path / "f.svg", "--json")
    assert drawn.json["families"] == ["gated", "relu", "topk"]
    assert drawn.json["metrics"] == ["explained_variance_global"]


def test_metrics_are_chosen_and_an_unknown_one_is_named_with_those_there_are(run, store, tmp_path):
    drawn = run("plot", "frontier", store.folder, "--metric", "dead", "--out", tmp_path / "f.svg", "--json")
    assert drawn.json["metrics"] == ["dead"]
    ran = run("plot", "grid", store.folder, "--metric", "deed", "--out", tmp_path / "g.svg")
    assert ran.status == 2
    assert "Did you mean 'dead'?" in " ".join(ran.err.split())
    assert not (tmp_path / "g.svg").exists()


def test_a_grid_is_by_family_where_there_are_areas_else_by_dictionary(run, store, tmp_path):
    drawn = run("plot", "grid", store.folder, "--out", tmp_path / "g.svg", "--json").json
    assert drawn["columns"] == ["gated", "relu", "topk"]
    drawn = run("plot", "grid", store.folder, "--by", "dictionary", "--out", tmp_path / "h.svg", "--json").json
    assert drawn["columns"] == ["gated k=8", "relu k=32", "relu k=64", "topk k=16", "topk k=40", "topk k=100",
                                "topk k=250"]  # fmt: skip
    single = next(store.folder.rglob("*/relu/*.json"))
    drawn = run("plot", "grid", single, "--out", tmp_path / "i.svg", "--json").json
    assert drawn["columns"] in (["relu k=32"], ["relu k=64"])


def test_an_area_is_that_of_the_leaderboard_over_the_common_window(store):
    from mibench.cli.drawable_dictionaries import dictionary_entries
    from mibench.cli.family_pictures import area_notes, measured

    (one,) = measured(dictionary_entries([str(store.folder)], "none"))
    areas = dict(zip((family.label for family in one.families), one.areas, strict=True))
    logs = np.log([20.0, 40.0, 100.0, 200.0])
    heights = np.interp(logs, np.log([16.0, 40.0, 100.0, 250.0]), [0.7, 0.8, 0.9, 0.95])
    assert areas["topk"].value == pytest.approx(np.trapezoid(heights, logs) / (logs[-1] - logs[0]))
    assert "2 sparsities" in areas["relu"].reason
    assert "failed" in areas["gated"].reason
    assert any("relu, 2 sparsities" in note for note in area_notes([one]))


def test_dead_latents_are_counted_from_the_table(run, store, tmp_path):
    ref = next(store.folder.rglob("*/topk/*.json"))
    drawn = run("plot", "density", ref, "--out", tmp_path / "d.png", "--json").json
    assert list(drawn["dead"].values()) == [0.25]
    ran = run("plot", "density", *store.folder.rglob("*/relu/*.json"), "--out", tmp_path / "e.svg")
    assert "relu k=32: 4 latents, 25 % dead" in ran.out


def test_of_a_folder_what_has_no_densities_is_left_out(run, tmp_path):
    mixed = Store(tmp_path / "mixed")
    add_core(mixed)
    mixed.write(RunRecord(cell=cell(task="sae-probing"), status="ok", metrics={"probe_accuracy_k1": number(0.8)}))
    drawn = run("plot", "density", mixed.folder, "--out", tmp_path / "d.svg", "--json").json
    assert list(drawn["dead"]) == ["topk k=32"]


def test_densities_of_generated_samples_are_drawn_too(run, toy, tmp_path):
    drawn = run("plot", "density", toy.folder, "--out", tmp_path / "d.svg", "--json").json
    assert drawn["dead"] == {"relu l0=3": 1 / 64}


def test_generated_samples_give_an_l0_to_draw_over(run, toy, tmp_path):
    drawn = run("plot", "frontier", toy.folder, "--metric", "l0", "--out", tmp_path / "f.svg", "--json").json
    assert drawn["families"] == ["relu"]


def test_recovery_is_drawn_from_tables_and_from_the_dictionary(run, toy, tmp_path):
    found, similarity = toy_dictionary()
    save_dictionary(found, tmp_path / "toy.safetensors")
    outs = [tmp_path / f"{name}.png" for name in "ab"]
    first = run("plot", "recovery", only(toy), "--out", outs[0], "--json")
    second = run(
        "plot", "recovery", only(toy), "--dictionary", tmp_path / "toy.safetensors", "--out", outs[1], "--json"
    )
    assert second.status == 0, second.err
    assert first.json["mean_cosine"] == second.json["mean_cosine"] == pytest.approx(match(similarity).similarity.mean())
    assert outs[0].read_bytes() != outs[1].read_bytes()


def test_another_dictionary_is_not_drawn_in_its_place(run, toy, tmp_path):
    found, _ = toy_dictionary(60)
    save_dictionary(found, tmp_path / "other.safetensors")
    ran = run(
        "plot", "recovery", only(toy), "--dictionary", tmp_path / "other.safetensors", "--out", tmp_path / "r.svg"
    )
    assert ran.status == 2
    assert "not the dictionary of this record" in ran.err


@pytest.mark.parametrize("latent", [-2, 64])
def test_tables_that_point_nowhere_are_refused(run, tmp_path, latent):
    made = Store(tmp_path / "broken")
    add_toy(made, *toy_dictionary(), latent=latent)
    ran = run("plot", "recovery", only(made), "--out", tmp_path / "r.svg")
    assert ran.status == 1
    assert "there are not" in ran.err
    assert "Traceback" not in ran.err


def test_a_record_without_true_features_or_latents_is_refused_with_what_to_use(run, store, tmp_path):
    core = next(store.folder.rglob("*/topk/*.json"))
    ran = run("plot", "recovery", core, "--out", tmp_path / "r.svg")
    assert (ran.status, "sae-synthetic-toy" in ran.err) == (2, True)
    failed = next(store.folder.rglob("*/gated/*.json"))
    ran = run("plot", "density", failed, "--out", tmp_path / "d.svg")
    assert (ran.status, "its tables: none" in " ".join(ran.err.split())) == (2, True)


@pytest.mark.parametrize("kind", ["frontier", "grid", "density", "recovery"])
def test_a_record_of_another_track_is_sent_to_its_own_picture(run, make_cell, add_record, tmp_path, kind):
    other = Store(tmp_path / "circuits")
    path = other.path(add_record(other, make_cell("eap")).cell)
    ran = run("plot", kind, path, "--out", tmp_path / "x.svg")
    assert ran.status == 2
    assert "mibench plot curves" in " ".join(ran.err.split())


@pytest.mark.parametrize("kind", ["frontier", "grid", "density"])
def test_a_folder_without_dictionaries_is_refused(run, make_cell, add_record, tmp_path, kind):
    other = Store(tmp_path / "circuits")
    add_record(other, make_cell("eap"))
    ran = run("plot", kind, other.folder, "--out", tmp_path / "x.svg")
    assert (ran.status, "nothing to draw" in ran.err) == (2, True)


def test_too_many_histograms_are_refused(run, tmp_path):
    many = Store(tmp_path / "many")
    for k in range(1, 12):
        add_core(many, k=k)
    ran = run("plot", "density", many.folder, "--out", tmp_path / "d.svg")
    assert (ran.status, "11 records" in ran.err) == (2, True)


@pytest.mark.parametrize("kind", ["frontier", "grid"])
def test_the_same_records_give_the_same_bytes_and_nothing_is_overwritten(run, store, tmp_path, kind):
    outs = [tmp_path / f"{name}.svg" for name in "ab"]
    for out in outs:
        assert run("plot", kind, store.folder, "--out", out).status == 0
    assert outs[0].read_bytes() == outs[1].read_bytes()
    assert run("plot", kind, store.folder, "--out", outs[0]).status == 2


@pytest.mark.parametrize("kind", ["frontier", "grid", "density", "recovery"])
def test_the_help_has_an_example(run, kind):
    assert f"mibench plot {kind}" in run("plot", kind, "--help").out.split("Example:")[1]
