"""Sources in MIB's layouts become submissions that pass, or questions and failures and nothing at all."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import foreign_submissions as foreign
import mib_triplets as mib
import numpy as np
import pytest
import torch
import yaml
from foreign_submissions import GPT2, LENS

from mibench.artifacts.dictionaries.native import load_native
from mibench.artifacts.dictionary_files import load_dictionary
from mibench.artifacts.featurizers.files import load_featurizers, save_featurizers
from mibench.artifacts.files import load_scores, save_scores
from mibench.artifacts.formats.mib_featurizers import import_triplets
from mibench.artifacts.selection import Selection
from mibench.artifacts.series import CircuitSeries
from mibench.artifacts.series_folder import load_series
from mibench.core.errors import UsageError
from mibench.core.specs import Level, Ranking
from mibench.intake.check import check_submission
from mibench.intake.imports.items import Answers
from mibench.intake.imports.run import Order, import_submission, to_json
from mibench.intake.template import Wish

FACTS = {"authors": "A. Person", "contact": "a@example.org", "licence": "MIT", "description": "A method."}
WISH = Wish("team", "method", facts=FACTS)


@pytest.fixture
def source(tmp_path):
    return tmp_path / "source"


@pytest.fixture
def run(tmp_path, source):
    """Imports the source, or another, with what is said."""

    def call(where=None, positions=None, folders=None, dry_run=False, **said):
        answers = Answers(
            {key: [values] if isinstance(values, str) else values for key, values in said.items()}, positions
        )
        out = tmp_path / "out"
        return import_submission(Order(str(where or source), WISH, out, answers, folders or {}, dry_run))

    return call


def inferred(done, place):
    (item,) = (one for one in done.items if one.place == place)
    return {key: said.value for key, said in item.said.items()}


def entries(done):
    return yaml.safe_load((done.folder / "submission.yaml").read_text(encoding="utf-8"))["artifacts"]


def asked(done):
    assert not done.written
    assert not done.folder.exists()
    return {(one.flag, one.place): one.choices for one in done.questions}


def why_asked(done):
    return " ".join(one.why for one in done.questions)


def why(done):
    assert not done.written
    assert not done.folder.exists()
    return " ".join(f"{one.what} {one.why}" for one in done.failures)


def passes(done):
    assert done.written, (done.questions, done.failures)
    report = check_submission(done.folder)
    assert report.passed, report.failures
    assert report.n_read == len(done.items)
    return done


class TestImportances:
    def test_every_folder_of_task_and_model_is_converted(self, run, source):
        foreign.importances(source / "ioi_gpt2", graph=GPT2)
        foreign.importances(source / "mcqa_interpbench", "importances.pt", seed=1)
        foreign.importances(source / "interpbench_arc-easy", "scores.json", seed=2, level=Level.NODE)
        done = passes(run())
        assert [(one["tasks"], one["models"], one["level"]) for one in entries(done)] == [
            (["mib/arc-easy"], ["interpbench"], "node"),
            (["mib/ioi"], ["gpt2"], "edge"),
            (["mib/mcqa"], ["interpbench"], "edge"),
        ]
        assert all(one["file"].endswith(".safetensors") for one in entries(done))
        found = load_scores(done.folder / entries(done)[2]["file"])
        expected = load_scores(source / "mcqa_interpbench" / "importances.pt")
        assert np.array_equal(found.scores, expected.scores)
        assert found.scores.dtype == np.float32

    def test_it_is_said_where_each_thing_is_known_from(self, run, source):
        foreign.importances(source / "ioi_gpt2", graph=GPT2)
        said = run().items[0].said
        assert said["task"].source == "'ioi' in the name ioi_gpt2"
        assert said["model"].source == "'gpt2' in the name ioi_gpt2; its sizes agree"
        assert said["level"].source == "it scores edges only"
        assert "what MIB does" in said["selection"].source

    def test_files_of_several_cells_may_lie_in_one_folder(self, run, source):
        for number, name in enumerate(["ioi_interpbench.json", "mcqa_interpbench.json", "ioi_gpt2.pt"]):
            foreign.importances(source, name, seed=number, graph=GPT2 if "gpt2" in name else LENS)
        done = passes(run())
        assert {(one["tasks"][0], one["models"][0]) for one in entries(done)} == {
            ("mib/ioi", "interpbench"),
            ("mib/mcqa", "interpbench"),
            ("mib/ioi", "gpt2"),
        }

    def test_a_model_is_told_by_its_sizes_where_only_one_has_them(self, run, source):
        foreign.importances(source / "ioi", graph=GPT2)
        assert "of no other known model" in run().items[0].said["model"].source

    def test_two_models_of_the_same_sizes_are_asked_for(self, run, source):
        parallel = replace_graph(GPT2)
        save_scores(parallel, made(source / "ioi") / "importances.json")
        choices = asked(run())["--model", "ioi/importances.json"]
        assert choices == ("pythia-160m", "pythia-160m-deduped")
        done = passes(run(model="pythia-160m"))
        assert inferred(done, "ioi/importances.json")["model"] == "pythia-160m"

    def test_a_name_that_is_not_the_models_is_asked_about(self, run, source):
        foreign.importances(source / "ioi_gpt2-large")
        done = run()
        assert ("--model", "ioi_gpt2-large/importances.json") in asked(done)
        assert "Its name says gpt2; its sizes are 6 layers of 4 heads" in done.questions[0].why

    def test_all_questions_come_in_one_run_and_answers_may_be_for_one_folder(self, run, source):
        foreign.importances(source / "a")
        foreign.importances(source / "b", graph=GPT2)
        foreign.importances(source / "arithmetic_interpbench", seed=4)
        done = run()
        assert set(asked(done)) == {
            ("--task", "a/importances.json"),
            ("--task", "b/importances.json"),
            ("--task", "arithmetic_interpbench/importances.json"),
        }
        assert asked(done)["--task", "arithmetic_interpbench/importances.json"] == (
            "mib/arithmetic-addition",
            "mib/arithmetic-subtraction",
        )
        done = passes(run(task=["mib/mcqa", "b=mib/ioi", "arithmetic_interpbench=mib/arithmetic-addition"]))
        assert [one["tasks"] for one in entries(done)] == [["mib/mcqa"], ["mib/arithmetic-addition"], ["mib/ioi"]]

    def test_what_is_said_of_one_folder_overrules_its_name(self, run, source):
        foreign.importances(source / "ioi_interpbench")
        done = passes(run(task="ioi_interpbench=mib/mcqa"))
        assert inferred(done, "ioi_interpbench/importances.json")["task"] == "mib/mcqa"

    def test_an_answer_that_answers_nothing_is_a_failure(self, run, source):
        foreign.importances(source / "ioi_interpbench")
        assert "--task mib/mcqa says nothing." in why(run(task="mib/mcqa"))
        assert "--model x=gpt2 says nothing." in why(run(model="x=gpt2"))
        assert run(task="mib/ioi").written

    def test_levels_that_a_file_mixes_are_asked_for(self, run, source):
        path = foreign.importances(source / "ioi_interpbench", "importances.pt")
        content = torch.load(path, weights_only=True)
        content["nodes_scores"] = torch.arange(float(LENS.n_sources))
        torch.save(content, path)
        assert asked(run()) == {("--level", "ioi_interpbench/importances.pt"): ("node", "edge")}
        done = passes(run(level="node"))
        assert entries(done)[0]["level"] == "node"

    def test_a_level_in_the_name_is_taken(self, run, source):
        path = foreign.importances(source / "node" / "ioi_interpbench", "importances.pt")
        content = torch.load(path, weights_only=True)
        content["nodes_scores"] = torch.arange(float(LENS.n_sources))
        torch.save(content, path)
        assert entries(passes(run()))[0]["level"] == "node"

    def test_a_selection_is_kept_or_said(self, run, source):
        foreign.importances(source / "ioi_interpbench")
        save_scores(
            foreign.scores(seed=3, selection=Selection.of("pnr")), made(source / "mcqa_interpbench") / "a.safetensors"
        )
        done = passes(run(selection="ioi_interpbench=greedy"))
        rules = [load_scores(done.folder / one["file"]).selection.rule for one in entries(done)]
        assert rules == ["greedy", "pnr"]

    def test_float64_stays_where_float32_would_lose(self, run, source):
        values = np.random.default_rng(0).normal(size=LENS.shape)
        save_scores(replace(foreign.scores(), scores=values), made(source / "ioi_interpbench") / "a.safetensors")
        done = passes(run())
        assert load_scores(done.folder / entries(done)[0]["file"]).scores.dtype == np.float64

    def test_one_circuit_gets_the_smallest_budget_that_it_fits(self, run, source):
        folder = foreign.nine(source / "all")
        shutil.copytree(folder, source / "ioi_interpbench")
        shutil.rmtree(folder)
        for path in (source / "ioi_interpbench").iterdir():
            if path.name != "circuit_8.json":
                path.unlink()
        assert entries(passes(run()))[0]["budget"] == 0.5

    def test_seeds_in_names_tell_files_of_one_cell_apart(self, run, source):
        for seed in (1, 2):
            foreign.importances(source / "ioi_interpbench", f"seed{seed}.json", seed=seed)
        assert [one["seed"] for one in entries(passes(run()))] == [1, 2]

    def test_two_files_for_one_cell_are_refused(self, run, source):
        foreign.importances(source / "ioi_interpbench", "a.json")
        foreign.importances(source / "ioi_interpbench", "b.pt", seed=1)
        assert "ioi_interpbench/a.json and ioi_interpbench/b.pt are for one cell." in why(run())

    def test_scores_without_a_sign_are_noted(self, run, source):
        own = foreign.scores()
        save_scores(replace(own, scores=abs(own.scores)), made(source / "ioi_interpbench") / "a.json")
        assert any("No score is negative" in note for note in run().items[0].notes)


def replace_graph(graph):
    return foreign.scores(type(graph)(graph.n_layers, graph.n_heads, True), width=768)


def made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


class TestNineCircuits:
    def test_one_set_is_asked_for_its_ranking(self, run, source):
        foreign.nine(source / "ioi_interpbench")
        assert asked(run()) == {("--ranking", "ioi_interpbench"): ("signed", "absolute", "both")}
        assert "--ranking" in {one.flag for one in run().questions}

    @pytest.mark.parametrize(
        ("said", "rankings"),
        [("both", {Ranking.SIGNED}), ("absolute", {Ranking.ABSOLUTE}), ("signed", {Ranking.SIGNED})],
    )
    def test_one_set_serves_the_ranking_that_is_said(self, run, source, said, rankings):
        foreign.nine(source / "ioi_interpbench", suffix=".pt")
        done = passes(run(ranking=said))
        found = load_scores(done.folder / entries(done)[0]["file"])
        assert isinstance(found, CircuitSeries)
        assert set(found.circuits) == rankings
        assert "50 %: " in inferred(done, "ioi_interpbench")["budgets"]

    @pytest.mark.parametrize("inside", [True, False])
    def test_a_pair_of_folders_is_one_artifact(self, run, source, inside):
        for number, name in enumerate(["abs-true", "abs_False"]):
            foreign.nine(
                source / ("ioi_interpbench" if inside else "") / name / ("" if inside else "ioi_interpbench"),
                seed=number,
            )
        done = passes(run())
        assert inferred(done, "ioi_interpbench")["ranking"] == "absolute and signed"
        found = load_scores(done.folder / entries(done)[0]["file"])
        assert set(found.circuits) == set(Ranking)
        first = load_scores(next(source.rglob("*rue*")).rglob("circuit_8.json").__next__(), binary=True)
        assert np.array_equal(found.circuits[Ranking.ABSOLUTE][8].members, first.in_graph)

    def test_one_folder_of_a_pair_says_its_ranking(self, run, source):
        foreign.nine(source / "abs-true" / "ioi_interpbench")
        done = passes(run())
        assert inferred(done, "abs-true/ioi_interpbench")["ranking"] == "absolute"

    def test_another_number_of_circuits_is_refused(self, run, source):
        foreign.nine(source / "ioi_interpbench")
        (source / "ioi_interpbench" / "circuit_3.json").unlink()
        assert "It holds 8 circuits, too few" in why(run(ranking="both"))

    def test_circuits_beyond_their_budget_are_refused(self, run, source):
        folder = foreign.nine(source / "ioi_interpbench")
        whole = load_scores(folder / "circuit_8.json", binary=True)
        every = np.array(LENS.real_mask)
        save_scores(replace(whole, in_graph=every), folder / "circuit_0.json", overwrite=True)
        assert "too large" in why(run(ranking="both")) or "50 %" in why(run(ranking="both"))

    def test_a_file_of_mibench_with_all_nine_is_read(self, run, source):
        foreign.nine(source / "ioi_interpbench")
        save_scores(load_series(source / "ioi_interpbench"), made(source / "mcqa_interpbench") / "a.safetensors")
        shutil.rmtree(source / "ioi_interpbench")
        done = passes(run())
        assert "50 %: " in inferred(done, "mcqa_interpbench/a.safetensors")["budgets"]

    def test_circuits_of_neurons_and_edges_at_once_are_asked_about(self, run, source):
        for path in foreign.nine(source / "ioi_interpbench", suffix=".pt").iterdir():
            content = torch.load(path, weights_only=True)
            neurons = torch.zeros(LENS.n_sources, 64, dtype=torch.bool)
            neurons[:, : 4 + 4 * int(path.stem[-1])] = True
            torch.save(content | {"neurons_in_graph": neurons, "neurons_scores": neurons.float()}, path)
        assert asked(run(ranking="both")) == {("--level", "ioi_interpbench"): ("edge", "neuron")}
        assert entries(passes(run(ranking="both", level="edge")))[0]["level"] == "edge"


class TestTriplets:
    def test_a_folder_says_task_model_and_variable(self, run, source):
        foreign.triplets(source / "4_answer_MCQA_Qwen2ForCausalLM_answer_pointer", d=896)
        foreign.triplets(source / "ioi_task_GPT2LMHeadModel_output_token" / "DAS", token="all")
        done = passes(run())
        assert [(one["tasks"], one["models"], one["variable"]) for one in entries(done)] == [
            (["mib/mcqa"], ["qwen2.5-0.5b"], "answer_pointer"),
            (["mib/ioi"], ["gpt2"], "output_token"),
        ]
        found = load_featurizers(done.folder / entries(done)[0]["file"])
        expected = import_triplets(source / "4_answer_MCQA_Qwen2ForCausalLM_answer_pointer").featurizers
        assert found.digest == replace(expected, meta={}).digest

    def test_models_of_one_class_are_told_apart_by_size_or_asked_for(self, run, source):
        place = "arithmetic_LlamaForCausalLM_ones_carry"
        mib.save(source / place, "ResidualStream(Layer-0,Token-last)")
        assert asked(run())["--model", place] == ("llama-3.1-8b-instruct", "llama-3.1-8b", "smollm2-135m")
        assert "no known" not in why_asked(run())
        foreign.triplets(source / place, token="last", d=576)
        assert inferred(passes(run()), place)["model"] == "smollm2-135m"

    def test_positions_that_the_task_does_not_have_are_asked_for(self, run, source):
        place = "4_answer_MCQA_Qwen2ForCausalLM_answer_pointer"
        foreign.triplets(source / place, token="my_token", d=896)
        done = run()
        assert "last" in asked(done)["--position-map", place]
        assert "my_token" in done.questions[0].why
        foreign.triplets(source / place, layers=(3,), d=896)
        assert set(asked(run())) == {("--position-map", place)}
        done = passes(run(positions={"my_token": "last"}))
        assert inferred(done, place)["sites"] == "3"

    def test_a_position_map_that_names_no_position_is_refused(self, run, source):
        foreign.triplets(source / "4_answer_MCQA_Qwen2ForCausalLM_answer_pointer", token="my_token", d=896)
        assert "position" in why(run(positions={"my_token": "nowhere"}))

    def test_a_folder_of_another_name_is_asked_about_and_then_read(self, run, source):
        foreign.triplets(source / "das")
        assert {flag for flag, _ in asked(run())} == {"--task", "--model", "--variable"}
        done = passes(run(task="mib/ioi", model="gpt2", variable="output_token", positions={"last_token": "all"}))
        assert entries(done)[0]["variable"] == "output_token"

    def test_code_beside_them_is_listed_and_never_run(self, run, source, tmp_path):
        foreign.triplets(source / "ioi_task_GPT2LMHeadModel_output_token", token="all")
        for name in ("featurizer.py", "token_position.py", "ioi_task_GPT2LMHeadModel_output_token/more.py"):
            (source / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
        (source / "ioi_linear_params.json").write_text('{"gpt2": {"position_coeff": 0}}')
        (source / "x__results.json").write_text("{}")
        done = passes(run())
        assert not (tmp_path / "ran").exists()
        assert {name for name, reason in done.ignored.items() if "never run" in reason} == {
            "featurizer.py",
            "token_position.py",
            "ioi_task_GPT2LMHeadModel_output_token/more.py",
        }
        assert "never from who hands in" in done.ignored["ioi_linear_params.json"]
        assert "x__results.json" in done.ignored

    def test_a_triplet_that_cannot_be_read_is_noted(self, run, source):
        place = "ioi_task_GPT2LMHeadModel_output_token"
        foreign.triplets(source / place, token="all")
        (source / place / "ResidualStream(Layer-1,Token-all)_inverse_featurizer").write_bytes(b"x")
        done = passes(run())
        assert inferred(done, place)["sites"] == "1"
        assert any("no zip file" in note for note in done.items[0].notes)

    def test_two_sets_in_one_folder_are_refused(self, run, source):
        for name in ("DAS", "DBM"):
            foreign.triplets(source / "ioi_task_GPT2LMHeadModel_output_token" / name, token="all")
        assert "2 folders of triplets: DAS, DBM" in why(run())

    def test_featurizers_of_mibench_say_all(self, run, source):
        place = source / "ioi_task_GPT2LMHeadModel_output_token"
        found = import_triplets(foreign.triplets(place, token="all")).featurizers
        shutil.rmtree(place)
        save_featurizers(found, source / "a.safetensors")
        assert entries(passes(run()))[0]["models"] == ["gpt2"]


class TestDictionaries:
    @pytest.mark.parametrize(
        ("form", "path", "kind"),
        [
            ("saelens", "a", "relu"),
            ("dictionary-learning", "a", "gated"),
            ("sparsify", "a", "topk"),
            ("gemma-scope", "layer_3/width_16/average_l0_4/params.npz", "jumprelu"),
            ("generic", "a.safetensors", "relu"),
            ("native", "a.safetensors", "relu"),
        ],
    )
    def test_every_format_is_converted(self, run, source, form, path, kind):
        foreign.dictionary(source / path, form, kind=kind)
        flags = {one.flag for one in run(dry_run=True).questions}
        done = passes(run(**{"model": "gpt2"} if "--model" in flags else {}))
        (entry,) = entries(done)
        assert (entry["hook"], entry["models"], entry["tasks"]) == ("residual-post.L3", ["gpt2"], ["sae-core"])
        assert flags == ({"--model"} if form == "gemma-scope" else set())
        found, expected = load_native(done.folder / entry["file"]), load_dictionary(source / path, model="gpt2")
        assert all(np.array_equal(found.tensors[name], expected.tensors[name]) for name in expected.tensors)
        assert inferred(done, done.items[0].place)["format"] == form

    def test_a_place_that_nothing_says_is_asked_for(self, run, source):
        foreign.dictionary(source / "a" / "params.npz", "gemma-scope", kind="jumprelu")
        done = run()
        assert set(asked(done)) == {("--hook", "a"), ("--model", "a")}
        done = passes(run(hook="residual-post.L5", model="gpt2"))
        assert entries(done)[0]["hook"] == "residual-post.L5"

    def test_the_models_other_names_are_known_and_others_are_asked_for(self, run, source):
        foreign.dictionary(source / "a", model="openai-community/gpt2")
        assert entries(passes(run()))[0]["models"] == ["gpt2"]

    def test_a_model_of_no_list_is_asked_for(self, run, source):
        foreign.dictionary(source / "a", model="my-model")
        done = run()
        assert asked(done) == {("--model", "a"): ()}
        assert "'my-model', which is no model" in done.questions[0].why

    def test_one_for_another_model_is_refused(self, run, source):
        foreign.dictionary(source / "a", d_in=12)
        assert "12" in why(run())

    def test_a_large_one_is_refused_with_the_way_by_the_hub(self, run, source, monkeypatch):
        foreign.dictionary(source / "a", d_in=768, d_sae=9000)
        done = run()
        assert "too large to hand in" in why(done)
        assert "hub" in done.failures[0].do


class TestWhole:
    def test_nothing_is_written_where_anything_is_wrong(self, run, source):
        foreign.importances(source / "ioi_interpbench")
        (made(source / "mcqa_interpbench") / "importances.pt").write_bytes(b"PK\x03\x04 nothing")
        done = run()
        assert "mcqa_interpbench/importances.pt cannot be imported." in why(done)
        assert str(source) not in why(done)

    def test_a_hostile_file_is_named_and_never_run(self, run, source, tmp_path):
        class Payload:
            def __reduce__(self):
                return open, (str(tmp_path / "ran"), "w")

        torch.save({"cfg": Payload()}, made(source / "ioi_gpt2") / "importances.pt")
        assert "asks to load 'io open'" in why(run())
        assert not (tmp_path / "ran").exists()

    def test_a_file_that_cannot_be_read_is_a_failure(self, run, source, monkeypatch):
        def broken(*_, **__):
            raise PermissionError(13, "Permission denied")

        foreign.importances(source / "ioi_interpbench")
        monkeypatch.setattr("mibench.intake.imports.importances.load_scores", broken)
        assert "Permission denied" in why(run())

    def test_a_dry_run_says_all_and_writes_nothing(self, run, source):
        foreign.importances(source / "ioi_interpbench")
        done = run(dry_run=True)
        assert done.passed
        assert not done.written
        assert not done.folder.exists()
        values = to_json(done)
        assert values["artifacts"][0]["entry"]["bytes"] > 0
        assert values["artifacts"][0]["inferred"]["model"]["value"] == "interpbench"

    def test_nothing_is_overwritten(self, run, source):
        foreign.importances(source / "ioi_interpbench")
        assert run().written
        with pytest.raises(UsageError, match="not overwritten"):
            run()

    def test_the_source_may_be_the_folder_of_one_cell(self, run, source):
        foreign.importances(source / "ioi_interpbench")
        assert passes(run(source / "ioi_interpbench")).items[0].place == "importances.json"

    def test_an_empty_source_is_refused(self, run, source):
        (made(source) / "README.md").write_text("nothing")
        assert "There is nothing to import." in why(run())

    def test_links_are_not_followed(self, run, source, tmp_path):
        foreign.importances(tmp_path / "other" / "ioi_interpbench")
        foreign.importances(source / "mcqa_interpbench")
        (source / "ioi_interpbench").symlink_to(tmp_path / "other" / "ioi_interpbench")
        done = passes(run())
        assert len(done.items) == 1
        assert "link" in done.ignored["ioi_interpbench"]

    def test_equal_sources_give_equal_bytes(self, run, source, tmp_path):
        foreign.importances(source / "ioi_interpbench")
        foreign.triplets(source / "ioi_task_GPT2LMHeadModel_output_token", token="all")
        first = run()
        content = {path.name: path.read_bytes() for path in first.folder.rglob("*") if path.is_file()}
        shutil.rmtree(first.folder)
        again = run()
        assert content == {path.name: path.read_bytes() for path in again.folder.rglob("*") if path.is_file()}

    def test_a_repository_of_the_hub_is_imported_from_the_cache(self, run, tmp_path, monkeypatch):
        commit = "0123456789abcdef0123456789abcdef01234567"
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
        repo = tmp_path / "hub" / "models--org--mine"
        own = foreign.triplets(tmp_path / "x" / "ioi_task_GPT2LMHeadModel_output_token", token="all")
        foreign.importances(own.parent / "ioi_interpbench")
        for number, path in enumerate(sorted(one for one in own.parent.rglob("*") if one.is_file())):
            link = repo / "snapshots" / commit / "das" / path.relative_to(own.parent)
            (repo / "blobs").mkdir(parents=True, exist_ok=True)
            link.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, repo / "blobs" / str(number))
            link.symlink_to(repo / "blobs" / str(number))
        done = passes(run(f"hub:org/mine@{commit}/das"))
        assert [item.found.layout for item in done.items] == ["importances", "triplets"]
        assert inferred(done, "ioi_task_GPT2LMHeadModel_output_token")["sites"] == "2"

    def test_an_archive_of_one_cell_is_imported(self, run, tmp_path):
        own = foreign.triplets(tmp_path / "x" / "ioi_task_GPT2LMHeadModel_output_token", token="all")
        path = shutil.make_archive(str(tmp_path / "a"), "zip", own.parent)
        done = passes(run(path))
        assert inferred(done, ".")["model"] == "gpt2"

    def test_a_model_on_this_machine_can_be_named(self, run, source, tmp_path):
        from transformers import GPT2Config

        GPT2Config(n_layer=2, n_head=3, n_embd=12, architectures=["GPT2LMHeadModel"]).save_pretrained(tmp_path / "mine")
        own = foreign.scores(type(LENS)(2, 3, False), width=12)
        save_scores(own, made(source / "ioi") / "a.json")
        done = run(folders={"mine": tmp_path / "mine"})
        assert done.written, (done.questions, done.failures)
        assert entries(done)[0]["models"] == ["mine"]
