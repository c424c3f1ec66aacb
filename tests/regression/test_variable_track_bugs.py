"""Mistakes of MIB's causal-variable track in scoring and semantics, 1 to 13: each with a test that it is not made."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mib_triplets as mib
import numpy as np
import pandas as pd
import pytest
import torch
from offset_pieces import OffsetPieces
from planted.cell import PlantedCell, iia, normalised, one_by_one
from planted.model import planted_model
from planted.plan import Plan
from planted.rows import LAST, isolate_rows, random_rows, true_sites
from planted.task import register, write_planted
from tiny_models import VOCAB, tiny_model
from variable_tables import linear_tables, variable_tables

from mibench.artifacts.featurizers.featurizers import Featurizers, featurizers_of
from mibench.artifacts.featurizers.files import load_featurizers, save_featurizers
from mibench.artifacts.featurizers.operation import Operation
from mibench.artifacts.formats.mib_featurizers import import_triplets
from mibench.cli.main import main
from mibench.core.errors import DataError
from mibench.core.sites import Component, Site
from mibench.core.specs import VariableRef
from mibench.engine.interchange.interchanges import Interchanges
from mibench.engine.interchange.options import InterchangeOptions
from mibench.engine.interchange.outputs import Outputs
from mibench.engine.model import LanguageModel
from mibench.metrics.variable.scores import variable_metrics
from mibench.metrics.variable.tables import VariableTables
from mibench.records.record import RunRecord
from mibench.records.store import Store
from mibench.runner.settings import RunSettings
from mibench.runner.variables.ground import positions_of
from mibench.tasks.causal.identifiability import check_separated
from mibench.tasks.checker import first_number
from mibench.tasks.interchange import EncodedInterchange, InterchangeRow, LinearTarget
from mibench.tasks.mib.arc_easy import DATA as ARC
from mibench.tasks.variable_task import load_variable_task
from mibench.tracks.interchange_rows import solved
from mibench.tracks.linear_target import fit_linear
from mibench.tracks.site_groups import Size, groups_of
from mibench.tracks.variable import interventions_of

PLAN = Plan()
HERE, EARLIER = Site(4, LAST), Site(1, LAST)
"""A site at which both variables live, and one at which neither does."""
OF_A = (3, 4, 5)
"""Columns of ``both_rotation`` that variable ``a`` lives in."""
CELL_FOLDER = "4_answer_MCQA_Gemma2ForCausalLM_answer_pointer"


@cache
def planted() -> LanguageModel:
    return LanguageModel(planted_model("gpt2", PLAN))


def cell(*sites: Site) -> PlantedCell:
    return PlantedCell(planted(), "a", one_by_one(sites), PLAN)


@cache
def both_rotation() -> np.ndarray:
    """Orthonormal columns: the subspace of ``b``, then that of ``a``."""
    return np.concatenate([true_sites(PLAN, name)[HERE] for name in ("b", "a")], axis=1).astype(np.float32)


def handed_in(select: Any, site: Site = HERE) -> Featurizers:
    found = {site: (Operation("orthogonal", {"rotation": both_rotation()}), select)}
    return featurizers_of(found, model="planted", task="planted", variable="a")


def triplet(folder: Path, indices: Any, unit: str = "ResidualStream(Layer-4,Token-last_token)") -> Path:
    """Write ``both_rotation`` as MIB's code saves it."""
    module = mib.subspace(PLAN.d_model, 2 * PLAN.k)
    module.rotate.weight = torch.from_numpy(both_rotation())
    mib.save(folder / CELL_FOLDER, unit, module, indices=indices)
    return folder / CELL_FOLDER


def kept_and_changed(tables: dict[str, pd.DataFrame], site: Site = HERE) -> tuple[float, float]:
    """Accuracy of isolate rows and normalised accuracy of cause rows."""
    return iia(tables["examples"], "isolate")[site.name], normalised(tables)[site.name]


def metrics_of(tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    return variable_metrics(VariableTables(**tables, n_layers=PLAN.n_layers), resamples=100)


@pytest.fixture(scope="module")
def planted_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_planted(tmp_path_factory.mktemp("models") / "planted")


@pytest.fixture
def command(planted_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[RunRecord]]:
    """Runs a command on the planted cell, and returns the records of its folder."""
    register(monkeypatch)
    monkeypatch.chdir(tmp_path)

    def call(*words: str, out: str) -> list[RunRecord]:
        where = ["--task", "planted", "--model", str(planted_folder), "--layer", "2,4", "--position", "last"]
        with pytest.raises(SystemExit) as stop:
            main([*words, *where, "--out", out])
        assert not stop.value.code
        return list(Store(Path(out)).query()) if Path(out).is_dir() else []

    return call


def test_selected_features_alone_are_swapped(tmp_path: Path) -> None:
    """1: feature indices of a submission are dropped, and all features swapped."""
    where = cell(HERE)
    save_featurizers(handed_in(OF_A), tmp_path / "ours.safetensors")
    ours = load_featurizers(tmp_path / "ours.safetensors")
    theirs = import_triplets(triplet(tmp_path, list(OF_A))).featurizers
    for found in (ours, theirs):
        assert kept_and_changed(where.tables(found)) == (1.0, 1.0)
    kept, changed = kept_and_changed(where.tables(handed_in("all")))
    assert kept == 0
    assert changed < 0.5


def test_an_empty_selection_swaps_nothing(tmp_path: Path) -> None:
    """2: an empty list of indices is taken for all features."""
    where = cell(HERE)
    rows = where.rows(2)[::8]
    runs = Interchanges(planted(), rows, InterchangeOptions())
    plain = runs.plain()
    theirs = import_triplets(triplet(tmp_path, [])).featurizers
    for found in (handed_in(()), handed_in(np.zeros(6, dtype=bool)), theirs):
        outputs = runs.run(interventions_of(found, where.groups, planted())[1])
        np.testing.assert_array_equal(outputs.label_logprob, plain.label_logprob)
        np.testing.assert_array_equal(outputs.correct, plain.correct)


def test_a_site_without_a_featurizer_that_can_be_read_is_not_scored(tmp_path: Path) -> None:
    """3: a missing or unloadable featurizer becomes a swap of the full vector, which can be the winning score."""
    unit = "ResidualStream(Layer-2,Token-last_token)"
    folder = triplet(tmp_path, None)
    mib.save(folder, unit, classes=("SAEFeaturizerModule", "SAEInverseFeaturizerModule"))
    imported = import_triplets(folder)
    assert [one.unit for one in imported.report.skipped] == [unit]
    tables = cell(Site(2, LAST), Site(3, LAST), HERE).tables(imported.featurizers)
    assert set(tables["examples"]["group"]) == set(tables["selection"]["group"]) == {HERE.name}
    average = metrics_of(tables)["iia_average"]
    assert average.value is None
    assert "4 of 5 layers" in average.reason


def test_doing_nothing_scores_nothing_and_cause_rows_are_told_from_isolate_rows() -> None:
    """4: a no-op has a floor above 0, and rows that must change are averaged with rows that must not."""
    found = metrics_of(cell(HERE).tables(handed_in(())))
    assert found["iia_chosen"].value == found["noop_iia"].value == found["iia_chosen"].floor == 0.5
    assert (found["cause"].value, found["isolate"].value, found["normalised_iia"].value) == (0, 1, 0)
    assert found["normalised_iia"].n == found["isolate"].n == len(random_rows(PLAN, "a"))


def test_the_site_is_chosen_on_validation_with_intervals_and_seeds(command: Callable[..., list[RunRecord]]) -> None:
    """5: the position is the best of the test itself, without intervals, from single unseeded runs."""
    words = ("run", "--method", "random-subspace", "--set", "k=12", "--variable", "a", "--seeds", "2")
    tested = command(*words, "--split", "test", out="tested")
    validated = {record.cell.method.seed: record for record in command(*words, out="validated")}
    assert {record.cell.method.seed for record in tested} == set(validated) == {0, 1}
    for record in tested:
        one = record.metrics["normalised_iia"]
        assert one.ci_low <= one.value <= one.ci_high
        chosen = table(record, "selection", "tested").set_index("group")
        other = table(validated[record.cell.method.seed], "examples", "validated")
        scores = other[other["cause"]].groupby(["group", "set"])["correct"].mean().groupby("group").mean()
        assert chosen["normalised"].to_dict() == pytest.approx(scores.to_dict())
        assert chosen.index[chosen["chosen"]].tolist() == [scores.idxmax()]


def test_what_the_test_prefers_does_not_move_the_chosen_site() -> None:
    """5: see above; the number of the chosen site, not the best of the test, is the result."""
    shares = {"one": [[0.2, 0.9]], "two": [[0.4, 0.7]]}
    tables = variable_tables(shares, {"one": 0.0, "two": 0.0}, scores=[[0.8, 0.1]])
    found = variable_metrics(tables, resamples=20)
    assert found["normalised_iia"].value == pytest.approx(0.3)
    assert found["iia_highest"].value == pytest.approx(0.8)


def table(record: RunRecord, name: str, out: str) -> pd.DataFrame:
    return Store(Path(out)).table(record, name)


def test_the_lowest_error_is_the_best() -> None:
    """6: the highest squared error of several units is taken for the best."""
    found = variable_metrics(linear_tables({"x": {"7.1": 2.0, "7.2": 1.0, "noop": 3.0}}), resamples=20)
    assert found["mse_lowest"].value == pytest.approx(1.0)
    assert not found["mse_lowest"].higher_is_better


def test_every_variable_has_a_record_of_its_own(command: Callable[..., list[RunRecord]]) -> None:
    """6: only the first variable of a set, in no fixed order, is scored; a missing score counts as 0."""
    records = command("run", "--method", "full-vector", out="records")
    found = {record.cell.variable.name: record.metrics for record in records if record.cell.variable}
    assert set(found) == {"a", "b"}
    for metrics in found.values():
        assert metrics["iia_average"].value is None
        assert metrics["iia_average"].reason


def test_a_file_is_scored_as_the_method_that_made_it(command: Callable[..., list[RunRecord]]) -> None:
    """7: submissions and baselines are scored with other checkers, tokens, sets and sizes."""
    common = ("--variable", "a", "--split", "test")
    [ran] = command("run", "--method", "random-subspace", "--set", "k=20", *common, out="ran")
    file = next(Path("ran").rglob("*.artifact.*.safetensors"))
    [scored] = command("score", str(file), *common, out="scored")
    assert scored.metrics == ran.metrics
    assert scored.cell.task.digest == ran.cell.task.digest
    for name in ("examples", "noop", "selection", "attrition"):
        pd.testing.assert_frame_equal(table(scored, name, "scored"), table(ran, name, "ran"))


@pytest.mark.parametrize("name", ["arithmetic-addition", "mib/arithmetic-addition"])
def test_sums_are_written_without_leading_zeros_and_judged_by_their_value(name: str) -> None:
    """8: labels are padded to three digits, and "5" is wrong for "005"."""
    task = load_variable_task(name)
    sums = {(20, 48): "68", (2, 3): "5", (80, 88): "168", (0, 0): "0"}
    for (first, second), written in sums.items():
        setting = task.causal.run(operands(task, first, second))
        assert task.parts.checker.answers(setting[task.causal.output]) == (written,)
        assert all(first_number(text, setting[task.causal.output]) for text in (written, f" {written.zfill(3)}\n"))


def operands(task: Any, first: int, second: int) -> dict[str, Any]:
    from mibench.tasks.arithmetic.addition_variables import inputs

    return {name: value for name, value in inputs(first, second, "").items() if name in task.causal.names}


def test_a_cell_whose_rows_do_not_tell_its_variable_from_another_is_refused() -> None:
    """9: pointer and answer coincide on answerPosition, and are scored on it all the same."""
    task = load_variable_task("mcqa")
    rows = task.rows("test")
    with pytest.raises(DataError, match="answer"):
        check_separated(task, "answer_pointer", [row for row in rows if row.set == "answerPosition"])
    check_separated(task, "answer_pointer", rows)


class Swapped:
    """Stands for runs whose contrasts are known: 0.5 + 2 · position − 1 · token, in the source's signals."""

    def __init__(self, rows: list[EncodedInterchange]) -> None:
        self.signs = np.array([row.target.source_signs for row in rows if row.target])

    def run(self, interventions: list[Any]) -> Outputs:
        return self._of(0.5 + self.signs @ [2.0, -1.0])

    def plain(self) -> Outputs:
        return self._of(np.full(len(self.signs), 1.5))

    @staticmethod
    def _of(contrast: np.ndarray) -> Outputs:
        return Outputs(contrast[None] > 0, contrast[None], contrast[None])


def test_the_linear_target_is_fitted_here_whatever_the_file_says() -> None:
    """10: the submitter brings the coefficients of the target that the submission is scored by."""
    signs = [(-1.0, 1.0), (-1.0, -1.0), (1.0, -1.0)]
    rows = [targeted(place, pair) for place, pair in enumerate(signs)]
    fit = fit_linear(Swapped(rows), rows, [Site(0, "all", Component.HEAD, 0)])  # type: ignore[arg-type]
    assert fit.coefficients == pytest.approx((0.5, 2.0, -1.0))
    assert fit.r_squared == pytest.approx(1.0)


def targeted(place: int, signs: tuple[float, float]) -> EncodedInterchange:
    [row] = random_rows(PLAN, "a")[place : place + 1]
    return replace(row, target=LinearTarget((0, 1), signs, signs))


LONG = "After the " + "very " * 40 + "long day, {name_A} and {name_B} met, and {name_C} gave a {object} to"


def ioi_rows(first: str, second: str, third: str) -> Any:
    """The IOI task with one row in a template of more than 32 tokens; the source turns the first clause round."""
    from mibench.tasks.ioi.causal import inputs

    task = load_variable_task("ioi")
    texts = [LONG.format(name_A=a, name_B=b, name_C=third, object="pen") for a, b in ((first, second), (second, first))]
    settings = [inputs(LONG, text) for text in texts]
    row = InterchangeRow("0", "s1_io_flip", settings[0] or {}, settings[1] or {}, *texts)
    return replace(task, parts=replace(task.parts, rows=lambda split, encoder: [row]))


@pytest.mark.parametrize(("names", "position"), [(("Mary", "John"), 1), (("John", "Mary"), 0)])
def test_ioi_reads_order_and_spaced_names_from_the_text_and_cuts_nothing(names: tuple[str, str], position: int) -> None:
    """10: every base is taken to name the subject first, names are read without their space, prompts cut at 32."""
    task, encoder = ioi_rows(*names, "Mary"), OffsetPieces()
    [row] = task.rows("test")
    assert task.causal.run(row.base)["output_position"] == position
    [encoded] = task.encoded("test", None, "output_position", encoder, 10_000).rows
    assert len(encoded.base) > 50
    assert encoded.base_positions["all"] == tuple(range(len(encoded.base)))
    assert encoded.target is not None
    assert encoded.target.tokens == tuple(encoder.encode(f" {name}")[0] for name in ("John", "Mary"))
    assert encoded.target.signs == (-1.0, 1.0)


def test_heads_are_scored_one_by_one_and_together() -> None:
    """10: heads are scored together only."""
    where = VariableRef(name="output_token", component=Component.HEAD, positions=("all",), heads=((7, 3), (8, 6)))
    groups = groups_of(where, Size(12, 12))
    assert [len(group) for group in groups] == [1, 1, 2]
    assert groups[2] == (*groups[0], *groups[1])


@pytest.mark.parametrize("name", ["mcqa", "mib/mcqa", "mib/arc-easy"])
def test_positions_that_read_the_gold_answer_are_marked_and_left_out_unless_asked_for(name: str) -> None:
    """11: the place of the correct symbol is a site like others, and tells the answer."""
    task = load_variable_task(name)
    oracles = {position.name for position in task.parts.positions if position.oracle}
    assert "correct_symbol" in oracles
    free = {position.name for position in positions_of(RunSettings(), task)}
    assert free
    assert not free & oracles
    asked = positions_of(RunSettings(position=["correct_symbol"]), task)
    assert [position.name for position in asked] == ["correct_symbol"]


def test_the_rows_that_are_kept_do_not_depend_on_batches_and_are_hashed() -> None:
    """12: which rows survive the filter depends on padding and batch size, and is not written down."""
    hf = tiny_model("gpt2", torch.float32)
    rng, rows = np.random.default_rng(0), []
    for place in range(24):
        base, source = (tuple(rng.integers(0, VOCAB, rng.integers(3, 12)).tolist()) for _ in range(2))
        with torch.no_grad():
            answers = [((int(hf(torch.tensor([ids])).logits[0, -1].argmax()),),) for ids in (base, source)]
        wrong = ((VOCAB - 1 - answers[0][0][0],),)
        right = wrong if place % 3 == 0 else answers[0]
        positions = {LAST: (len(base) - 1,)}, {LAST: (len(source) - 1,)}
        rows.append(
            EncodedInterchange(str(place), "one", base, source, *positions, right, right, answers[1], cause=False)
        )
    model, kept = LanguageModel(hf), [str(place) for place in range(24) if place % 3]
    found = [solved(model, rows, InterchangeOptions(batch_size=size), {}) for size in (1, 5, 24)]
    assert [[row.id for row in one.rows] for one in found] == [kept] * 3
    assert len({one.digest for one in found}) == 1
    fewer = solved(model, rows[3:], InterchangeOptions(), {})
    assert fewer.digest != found[0].digest
    assert found[0].attrition.set_index("reason")["rows"].to_dict() == {"base wrong": 8, "kept": 16}


def test_a_record_says_which_rows_were_kept(command: Callable[..., list[RunRecord]]) -> None:
    """12: see above; counts by reason and the digest of the kept rows are in every record."""
    [record] = command("run", "--method", "full-vector", "--variable", "a", out="records")
    attrition = table(record, "attrition", "records")
    assert attrition["rows"].sum() == record.cell.task.limit
    assert attrition["digest"].nunique() == 1
    assert len(attrition["digest"].iloc[0]) == 64


def test_arc_keeps_validation_out_of_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """13: validation rows of ARC are trained on."""
    for split in ("train", "validation", "test"):
        lines = (json.dumps(arc_row(f"Which {split} {place}?")) for place in range(3))
        (tmp_path / f"{split}.jsonl").write_text("\n".join(lines))
    monkeypatch.setenv(ARC.local_copy, str(tmp_path))
    task = load_variable_task("mib/arc-easy")
    for split in ("train", "validation", "test"):
        prompts = {row.base_prompt for row in task.rows(split)}
        assert len(prompts) == 3
        assert all(f"Which {split} " in prompt for prompt in prompts)


def arc_row(question: str) -> dict[str, Any]:
    def record(labels: str, key: int) -> dict[str, Any]:
        lines = [f"{label}. choice {place}" for place, label in enumerate(labels)]
        texts = [f"choice {place}" for place in range(4)]
        prompt = "\n".join([f"Question: {question}", *lines, "Answer:"])
        return {"prompt": prompt, "choices": {"label": list(labels), "text": texts}, "answerKey": key}

    others = {"answerPosition": ("ABCD", 3), "randomLetter": ("WQZK", 0), "answerPosition_randomLetter": ("MTRE", 2)}
    return record("ABCD", 0) | {f"{name}_counterfactual": record(*what) for name, what in others.items()}


def test_training_has_the_batch_that_the_task_says_for_every_model() -> None:
    """13: the batch size of ARC for Llama is set under a name that is never looked up."""
    batches = []
    for architecture in ("gpt2", "llama"):
        where = replace(cell(HERE), model=LanguageModel(planted_model(architecture, PLAN)))
        seen: list[int] = []
        where.found_by(SimpleNamespace(function=lambda view, seen=seen: seen.append(view.training.batch)))
        batches.append(seen)
    assert batches == [[where.training.batch]] * 2
    assert len(isolate_rows(PLAN, "a")) == len(random_rows(PLAN, "a"))
