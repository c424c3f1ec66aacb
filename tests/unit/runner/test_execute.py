from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mibench.core.errors import ModelError, UsageError
from mibench.core.specs import Ablation, Track
from mibench.records.store import Store
from mibench.runner.cells.identity import cell_of
from mibench.runner.cells.work import CellRun
from mibench.runner.discover import discover_one
from mibench.runner.execute import Benches, check_names, run
from mibench.runner.observe import Quiet
from mibench.runner.plan import plan


class Recorder(Quiet):
    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def job(self, label, number, total):
        self.told.append(("job", number, total))

    def stage(self, name):
        self.told.append(("stage", name))
        return lambda done, total: self.told.append((name, done, total))

    def done(self, label, record, *, reused):
        self.told.append(("done", record.status, reused))


def cells(settings):
    benches = Benches(settings)
    return [cell_of(job, benches.get(job.model), settings) for job in plan(settings)]


def test_the_observer_is_told_of_jobs_stages_and_batches(settings):
    chosen, observer = settings(batch_size=5), Recorder()
    run(chosen, observer)
    assert observer.told == [
        ("job", 1, 1), ("stage", "discover"), ("discover", 1, 2), ("discover", 2, 2),
        ("stage", "score"), ("score", 1, 2), ("score", 2, 2), ("done", "ok", False),
    ]  # fmt: skip
    again = Recorder()
    run(chosen, again)
    assert again.told == [("job", 1, 1), ("done", "ok", True)]


def test_a_cell_is_named_by_what_moves_its_numbers_and_by_nothing_else(settings):
    (base,) = cells(settings())
    for same in ({"batch_size": 3}, {"out": "elsewhere"}, {"seeds": 4}, {"only": "all"}):
        assert [cell.id for cell in cells(settings(**same))] == [base.id]
    others = [{"limit": 3}, {"train_limit": 3}, {"split": "test"}, {"dtype": "float64"}, {"convention": "mib"},
              {"ablation": "zero"}, {"set": {"ablation": "zero"}}, {"attention": "eager"}]  # fmt: skip
    ids = {cells(settings(**other))[0].id for other in others}
    assert len(ids | {base.id}) == len(others) + 1


def test_what_draws_and_sees_no_training_data_is_not_named_by_it(settings):
    assert cells(settings(method="random", train_limit=3)) == cells(settings(method="random"))
    assert cells(settings(method="random", ablation="mean", train_limit=3)) != cells(
        settings(method="random", ablation="mean")
    )


def test_floors_under_mean_ablation_are_of_the_same_means(settings):
    for limit in (3, 8):
        run(settings(ablation="mean", train_limit=limit, floor_draws=2), Quiet())
    found = Store(settings().out).query()
    assert {record.cell.ablation for record in found} == {Ablation.MEAN}
    own = [record for record in found if record.cell.method.name == "eap"]
    for record in own:
        limit = record.cell.task.train_limit
        draws = [r for r in found if r.cell.method.name == "random" and r.cell.task.train_limit == limit]
        floor = sum(draw.metrics["cmd"].value for draw in draws) / 2
        assert record.metrics["cmd"].floor == pytest.approx(floor)
    assert len({record.metrics["cmd"].floor for record in own}) == 2


def test_a_model_that_failed_is_not_loaded_again(settings, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    benches = Benches(settings())
    with pytest.raises(ModelError):
        benches.get(str(tmp_path / "empty"))
    monkeypatch.setattr("mibench.runner.cells.workbench.Workbench.load", None)
    with pytest.raises(ModelError):
        benches.get(str(tmp_path / "empty"))


def test_one_model_is_held_at_a_time(settings):
    benches, model = Benches(settings()), settings().model[0]
    first = benches.get(model)
    assert benches.get(model) is first
    benches.get(model.replace("tiny_gpt2", "tiny_llama"))
    assert benches.get(model) is not first


@pytest.mark.parametrize("values", [{"task": ["nowhere"]}, {"task": ["nowhere.jsonl"]}])
def test_names_are_checked_before_anything_is_loaded(settings, values):
    with pytest.raises(UsageError):
        check_names(settings(**values))


def test_discovery_gives_the_artifact_with_its_origin_and_cost(settings):
    scores, cost = discover_one(settings(method="eap-ig-inputs", set={"steps": "2"}), 0, Quiet())
    assert (scores.method, scores.params["steps"]) == ("eap-ig-inputs", 2)
    assert (cost.forward_passes, cost.backward_passes) == (3 * 8, 2 * 8)
    one, two = (discover_one(settings(method="random"), seed, Quiet())[0].digest for seed in (1, 2))
    assert one != two


def test_a_handed_in_artifact_is_scored_and_not_made(settings, monkeypatch):
    chosen = settings()
    scores, _ = discover_one(chosen, 0, Quiet())
    bench = Benches(chosen).get(chosen.model[0])
    (job,) = plan(chosen)
    monkeypatch.setattr("mibench.runner.cells.circuit._run_method", None)
    work = CellRun(cell_of(job, bench, chosen), job, bench, chosen, Quiet(), handed_in=replace(scores, method="theirs"))
    from mibench.runner.cells.run import run_cell

    assert run_cell(work, Store(chosen.out)).status == "ok"


def test_values_that_are_no_numbers_fail_their_cell_only(settings, monkeypatch):
    import mibench.runner.cells.circuit as module

    score, scored = module.score_circuit, []

    def broken(*given, **options):
        tables = score(*given, **options)
        if not scored:
            tables.table.loc[0, "value"] = float("nan")
        scored.append(tables)
        return tables

    monkeypatch.setattr(module, "score_circuit", broken)
    report = run(settings(method=["eap", "random"]), Quiet())
    assert report.failed
    assert [record.status for _, record in report.jobs] == ["failed", "ok"]
    assert "finite" in report.jobs[0][1].problem.why


SPOILERS = """
def weights(view):
    next(iter(view.model.hf.parameters())).data.add_(0.1)
    return view.scores(view.attribute())

def hook(view):
    view.model.hf.register_forward_hook(lambda *_: None)
    return view.scores(view.attribute())

def clean(view):
    return view.scores(view.attribute())
"""


@pytest.mark.parametrize("name", ["weights", "hook"])
def test_a_method_that_changes_the_model_fails_and_the_next_cell_gets_it_as_it_was(settings, user_file, name):
    file = user_file(SPOILERS)
    report = run(settings(method=[f"{file}:{name}", f"{file}:clean", "eap"]), Quiet())
    spoiled, after, built_in = (record for _, record in report.jobs)
    assert (spoiled.status, after.status) == ("failed", "ok")
    assert spoiled.problem.what == f"{name} changed the model."
    assert after.metrics["cmd"].value == built_in.metrics["cmd"].value


CHOOSER = """
from mibench.methods.method import method

@method(track="circuit", name="chooser", version=1, needs=("train", "validation"), levels=("edge",))
def chooser(view):
    return view.scores(view.attribute() * len(view.validation))

@method(track="circuit", name="blind", version=1, needs=("train",), levels=("edge",))
def blind(view):
    view.evaluate([])
    return view.scores(view.attribute())
"""


def test_validation_examples_are_in_the_id_of_methods_that_see_them_and_hidden_from_others(settings, user_file):
    file = user_file(CHOOSER)
    few, more = (cells(settings(method=f"{file}:chooser", train_limit=n))[0] for n in (3, 5))
    assert (few.task.validation_limit, more.task.validation_limit) == (3, 5)
    assert few.task.validation_digest != more.task.validation_digest
    assert cells(settings())[0].task.validation_digest is None
    ((_, record),) = run(settings(method=f"{file}:blind"), Quiet()).jobs
    assert record.problem.do == "Add 'validation' to needs in @method(…)."


def test_a_reused_record_says_so_and_takes_the_floor_of_this_run(settings):
    run(settings(floor_draws=1), Quiet())
    report = run(settings(floor_draws=3), Quiet())
    fresh = run(settings(floor_draws=3, out=str(settings().out) + "-fresh"), Quiet())
    old, new = report.jobs[-1][1], fresh.jobs[-1][1]
    assert (old.floor_draws, old.metrics) == (3, new.metrics)
    assert old.volatile.reused_from == str(settings().out)
    assert old.volatile.reused_since is not None
    assert new.volatile.reused_from is None


def test_what_the_method_took_is_kept_apart_from_scoring(settings):
    ((_, record),) = run(settings(limit=4, train_limit=8), Quiet()).jobs
    method, total = record.volatile.discovery, record.volatile.cost
    assert (method.forward_passes, method.backward_passes, method.examples) == (16, 8, 8)
    assert total.forward_passes > method.forward_passes
    assert total.examples == 4


def test_seeds_are_no_new_looks_at_the_test_split_and_parameters_are(settings):
    looks = [
        [record.looks_at_test for _, record in run(settings(split="test", **values), Quiet()).jobs]
        for values in (
            {"method": "random", "seeds": 3},
            {"method": "eap-ig-inputs", "set": {"steps": 2}},
            {"method": "eap-ig-inputs", "set": {"steps": 3}},
            {"method": "eap-ig-inputs", "set": {"steps": 2}, "only": "all"},
        )
    ]
    assert looks == [[1, 1, 1], [1], [2], [1]]


def test_a_broken_record_of_another_method_does_not_stop_a_run(settings):
    ((_, record),) = run(settings(), Quiet()).jobs
    Store(settings().out).path(record.cell).write_text("{}")
    report = run(settings(method="random", floor_draws=2), Quiet())
    assert {record.status for _, record in report.jobs} == {"ok"}


@pytest.mark.parametrize("only", ["missing", "all"])
def test_extras_add_tables_to_a_record_and_leave_its_cell(settings, only):
    ((_, plain),) = run(settings(), Quiet()).jobs
    asked = settings(extras=["minimality"], only=only)
    ((_, more),) = run(asked, Quiet()).jobs
    assert (more.cell.id, set(more.tables)) == (plain.cell.id, {*plain.tables, "minimality"})
    again = run(settings(extras="minimality"), Quiet())
    assert again.reused == {more.cell.id}
    ((_, both),) = run(settings(extras=["completeness"]), Quiet()).jobs
    assert set(both.tables) == {*plain.tables, "minimality", "completeness"}
    assert {name: both.metrics[name].value for name in ("cmd", "cpr")} == {
        name: plain.metrics[name].value for name in ("cmd", "cpr")
    }
    ((_, kept),) = run(settings(only="all"), Quiet()).jobs
    assert set(kept.tables) == set(both.tables)
    assert run(settings(), Quiet()).reused == {plain.cell.id}


def test_the_floor_is_measured_without_extras(settings):
    report = run(settings(floor_draws=1, extras=["minimality"]), Quiet())
    assert [("minimality" in record.tables) for _, record in report.jobs] == [False, True]


def test_an_extra_that_a_level_has_not_is_refused_before_anything_runs(settings):
    with pytest.raises(UsageError, match="neurons"):
        run(settings(method="random", level="neuron", extras=["completeness"]), Quiet())
    assert not settings().out.exists()


def test_the_extras_of_settings_are_those_of_the_track():
    from mibench.cli.options import EXTRAS as FLAGS
    from mibench.runner.settings import EXTRAS
    from mibench.runner.variables.controls import CONTROLS
    from mibench.tracks.extras import EXTRAS as MEASURED

    assert set(EXTRAS) == {*MEASURED, *CONTROLS} == set(FLAGS)


def test_a_failure_does_not_take_the_place_of_a_good_record(settings, monkeypatch):
    ((_, good),) = run(settings(), Quiet()).jobs

    def broken(work, meter):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr("mibench.runner.cells.circuit._run_method", broken)
        report = run(settings(only="all"), Quiet())
    ((_, failed),) = report.jobs
    assert report.failed
    assert failed.status == "failed"
    assert failed.problem.do.endswith("The good record that was there is kept.")
    assert Store(settings().out).read(good.cell) == good


def test_padded_batches_move_numbers_by_rounding_and_name_the_same_cell(settings):
    task = settings().model[0] + "/pairs_B.jsonl"
    (one,), (two,) = (
        [record for _, record in run(settings(task=task, out=f"{settings().out}{padded}", **how), Quiet()).jobs]
        for padded, how in enumerate(({}, {"padded": True, "batch_tokens": 64}))
    )
    assert one.cell == two.cell
    for name in ("cpr", "cmd"):
        assert two.metrics[name].value == pytest.approx(one.metrics[name].value, abs=1e-4)


def test_evaluation_takes_weights_as_they_are_under_every_convention(settings):
    found = [run(settings(ablation="zero", convention=name), Quiet()).jobs[0][1] for name in ("mibench", "mib")]
    assert found[0].metrics["cpr"].value == found[1].metrics["cpr"].value


def test_a_baseline_is_taken_with_its_tables_and_not_run_again(settings):
    baseline, out = f"{settings().out}-pulled", str(settings().out)
    run(settings(out=baseline, floor_draws=1), Quiet())
    observer = Recorder()
    report = run(settings(baseline=baseline, floor_draws=1), observer)
    assert [told for told in observer.told if told[0] == "stage"] == []
    record = report.jobs[-1][1]
    assert record.volatile.reused_from == baseline
    assert Store(out).table(record, "examples").equals(Store(baseline).table(record, "examples"))
    (_, again) = run(settings(floor_draws=1), Quiet()).jobs[-1]
    assert again.volatile.reused_from == baseline
    fresh = run(settings(baseline=baseline, floor_draws=1, only="all"), Quiet())
    assert fresh.jobs[-1][1].volatile.reused_from is None


STOPPED = """
def spoils_and_faints(view):
    next(iter(view.model.hf.parameters())).data.add_(0.1)
    raise MemoryError("no memory")

def clean(view):
    return view.scores(view.attribute())
"""


def test_memory_that_runs_out_on_a_changed_model_is_not_tried_again(settings, user_file, monkeypatch):
    from mibench.runner.cells import circuit as circuit_cell

    called, run_method, file = [], circuit_cell._run_method, user_file(STOPPED)
    monkeypatch.setattr(
        circuit_cell, "_run_method", lambda work, meter: called.append(work.job.method.name) or run_method(work, meter)
    )
    report = run(settings(method=[f"{file}:spoils_and_faints", f"{file}:clean", "eap"]), Quiet())
    assert called == ["spoils-and-faints", "clean", "eap"]
    failed, after, built_in = (record for _, record in report.jobs)
    assert (failed.status, after.status) == ("failed", "ok")
    assert failed.problem.what == "spoils-and-faints changed the model."
    assert after.metrics["cmd"].value == built_in.metrics["cmd"].value


def test_after_a_time_out_the_next_cell_gets_a_model_of_its_own(settings, user_file, monkeypatch):
    import time

    from mibench.runner.cells import circuit as circuit_cell

    benches, run_method, models = Benches(settings()), circuit_cell._run_method, []

    def slow(work, meter):
        models.append(work.bench)
        if len(models) == 1:  # as a built-in method would be stopped
            torch.set_grad_enabled(False)
            time.sleep(30)
        return run_method(work, meter)

    monkeypatch.setattr(circuit_cell, "_run_method", slow)
    report = run(settings(method=["eap", "eap-ig-inputs"], time_limit=1.5), Quiet(), benches)
    assert torch.is_grad_enabled()
    assert [record.status for _, record in report.jobs] == ["failed", "ok"]
    assert models[0].spoiled
    assert models[1] is not models[0]


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory"), KeyError("layer")])
def test_a_model_that_fails_in_any_way_leaves_the_others(settings, monkeypatch, error):
    from mibench.runner.cells.workbench import Workbench

    load, other = Workbench.load, settings().model[0].replace("tiny_gpt2", "tiny_llama")

    def broken(ref, **how):
        if ref != other:
            raise error
        return load(ref, **how)

    monkeypatch.setattr(Workbench, "load", broken)
    report = run(settings(model=[settings().model[0], other]), Quiet())
    ((_, problem),) = report.problems
    assert isinstance(problem, ModelError)
    assert ("Memory ran out" in problem.why) == (not isinstance(error, KeyError))
    assert [(job.model, record.status) for job, record in report.jobs] == [(other, "ok")]


def test_what_does_not_fit_is_refused_and_its_good_record_still_taken(settings, monkeypatch):
    from mibench.runner.driving import workplace

    ((_, good),) = run(settings(), Quiet()).jobs
    problem = ModelError("It does not fit.", why="It is large.", do="Use a larger device.")
    monkeypatch.setattr(workplace, "refusal", lambda job, own: problem)
    cells = [{"task": settings().task[0], "model": settings().model[0]}]
    for values in ({}, {"cells": cells}):
        report = run(settings(**values), Quiet())
        assert report.reused == {good.cell.id}
        assert not report.problems
        assert [one.what for _, one in run(settings(**values, only="all"), Quiet()).problems] == [problem.what]
    assert Store(settings().out).query() == [good]
    (_, refused), = run(settings(limit=3), Quiet()).problems  # fmt: skip
    assert refused.what == problem.what
    ((_, skipped),) = run(settings(limit=3, cells=cells), Quiet()).jobs
    assert skipped.status == "skipped"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"workers": 4}, "--workers 4 needs --executor process"),
        ({"devices": "cpu"}, "--devices needs --executor process"),
        ({"scheduler": {"partition": "gpu"}}, "--scheduler needs --executor slurm"),
        ({"scheduler": {"partition": "gpu"}, "executor": "process"}, "--scheduler needs --executor slurm"),
    ],
)
def test_means_that_the_executor_would_ignore_are_refused(settings, values, words):
    with pytest.raises(UsageError) as caught:
        check_names(settings(**values))
    assert words in caught.value.why


def test_means_that_nothing_of_artifacts_takes_are_refused(settings):
    with pytest.raises(UsageError, match="--workers means nothing for --artifact"):
        check_names(settings(method=[], artifact="a.json", workers=2, executor="process"), Track.CIRCUIT)
    check_names(settings(artifact="a.json", workers=2, executor="process"))


@pytest.mark.parametrize(
    "values",
    [
        {"time_limit": 1e20},
        {"scheduler": {"partition": b"\x80\x81"}},
        {"set": {"steps": b"\x80\x81"}},
        {"out": "bad\udcff"},
    ],
)
def test_values_that_nobody_can_be_told_are_refused(settings, values):
    with pytest.raises(UsageError):
        settings(**values)


FAINT = """
asked = []

def faint(view):
    asked.append((view.batch_size, view.batch_tokens))
    if view.batch_size > 5:
        raise MemoryError("no memory")
    return view.scores(view.attribute())

def never(view):
    raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
"""


def test_batches_are_halved_where_memory_runs_out_and_the_cell_stays_the_same(settings, user_file, tmp_path):
    file = user_file(FAINT)
    small = run(settings(method=f"{file}:faint", batch_size=5, out=str(tmp_path / "small")), Quiet()).jobs
    ((_, record),) = run(settings(method=f"{file}:faint"), Quiet()).jobs
    assert record.status == "ok"
    assert record.cell == small[0][1].cell
    made = record.volatile.provenance
    assert (made.batch_size, made.batch_tokens, made.attempt) == (5, 128, 1)


def test_memory_that_runs_out_with_single_pairs_fails_the_cell(settings, user_file):
    ((_, record),) = run(settings(method=f"{user_file(FAINT)}:never"), Quiet()).jobs
    assert record.problem.do == "Use a smaller --batch-size."
    assert record.volatile.provenance.batch_size == 1


SLOW = """
import time

def slow(view):
    try:
        time.sleep(60)
    except Exception:
        time.sleep(60)

def sly(view):
    try:
        time.sleep(60)
    finally:
        raise ValueError("hidden")

def quick(view):
    return view.scores(view.attribute())
"""


def test_a_cell_that_takes_too_long_fails_and_the_next_one_runs(settings, user_file):
    file = user_file(SLOW)
    asked = settings(method=[f"{file}:slow", f"{file}:sly", f"{file}:quick"], time_limit=2.0)
    found = [record for _, record in run(asked, Quiet()).jobs]
    assert [record.status for record in found] == ["failed", "failed", "ok"]
    assert {record.problem.why for record in found[:2]} == {"A cell may take 2 seconds in this run."}
    assert found[0].problem.what == "slow took too long."


def test_clocks_that_are_set_forward_take_nothing_away(settings, monkeypatch, tmp_path):
    import mibench.records.store as module

    hours = iter(range(10**6))
    whole = run(settings(method=["random", "eap"], seeds=3, out=str(tmp_path / "whole")), Quiet())
    monkeypatch.setattr(module.time, "time", lambda: 3600.0 * 24 * next(hours))
    found = run(settings(method=["random", "eap"], seeds=3, time_limit=600.0), Quiet())
    assert [(record.cell, record.tables, record.artifact) for _, record in found.jobs] == [
        (record.cell, record.tables, record.artifact) for _, record in whole.jobs
    ]
    store = Store(settings().out)
    for _, record in found.jobs:
        assert store.artifact(record).is_file()
        assert len(store.table(record, "examples")) > 0
