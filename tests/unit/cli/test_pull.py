from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from huggingface_hub.errors import GatedRepoError
from stand_in import SPLITS, write_model, write_rows

from mibench.models.footprint import footprint
from mibench.runner.forecasts import prompt_sizes as prompt_sizes_module
from mibench.tasks.mib import hub

COMMIT = "0" * 40
RUN = """
method: eap
floor_draws: 0
limit: 4
split: test
out: records
cells:
  - {task: mib/ioi, model: gpt2}
  - {task: mib/mcqa, model: llama-3.1-8b}
"""


@pytest.fixture
def the_hub(tmp_path, monkeypatch):
    """A hub with GPT-2 and IOI, and a machine with an empty cache; Llama is gated, and MCQA is not there."""
    shelf = tmp_path / "hub"
    rows = write_rows(shelf / "ioi", 8)
    write_model(shelf / "gpt2", rows)
    cache = tmp_path / "cache"
    asked: list[str] = []

    def snapshot_download(repo, revision=None, **_):
        asked.append(repo)
        if repo.startswith("meta-llama/"):
            response = type("Response", (), {"headers": {}, "status_code": 403, "request": None})()
            raise GatedRepoError("Access to this model is restricted.", response=response)
        if not (cache / "gpt2").exists():
            _online()
            shutil.copytree(shelf / "gpt2", cache / "gpt2")
        return str(cache / "gpt2")

    def cached(repo, file, revision=None, **_):
        path = cache / repo.split("/")[-1] / file
        return str(path) if path.exists() else None

    def load_dataset(path, name, split, revision):
        asked.append(f"{path}@{revision}/{split}")
        if path != "mib-bench/ioi":
            raise ConnectionError("there is no such data set")
        if not (cache / "ioi").exists():
            _online()
            shutil.copytree(shelf / "ioi", cache / "ioi")
        return [json.loads(line) for line in (cache / "ioi" / f"{split}.jsonl").read_text().splitlines()]

    def _online():
        if offline:
            raise ConnectionError("offline")

    offline: list[bool] = []
    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", cached)
    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    for module in ("wanted", "forecasts.prompt_sizes"):
        monkeypatch.setattr(f"mibench.runner.{module}.data_is_here", lambda data: (cache / data.task[4:]).exists())
    monkeypatch.setenv("MIBENCH_CACHE", str(tmp_path / "own"))
    monkeypatch.chdir(tmp_path)
    Path("run.yaml").write_text(RUN)
    _forget()
    yield type("Hub", (), {"asked": asked, "offline": offline})
    _forget()


def _forget() -> None:
    hub._rows.cache_clear()
    footprint.cache_clear()
    prompt_sizes_module.prompt_sizes.cache_clear()
    prompt_sizes_module.n_examples.cache_clear()


def test_everything_that_can_be_had_is_fetched_and_the_rest_is_listed(run, the_hub):
    ran = run("pull", "run.yaml", "--json")
    assert ran.status == 1
    found = {row["name"]: row for row in ran.json["items"]}
    assert {name: row["status"] for name, row in found.items()} == {
        "gpt2": "here", "llama-3.1-8b": "failed", "mib/ioi": "here", "mib/mcqa": "failed",
    }  # fmt: skip
    assert found["llama-3.1-8b"]["licence_page"] == "https://huggingface.co/meta-llama/Llama-3.1-8B"
    assert "hf auth login" in found["llama-3.1-8b"]["problem"]["do"]
    assert found["mib/mcqa"]["problem"]["why"]
    assert "mib-bench/ioi@e5f3468f3af4c0883be35cd3bced8c711c95d286/train" in the_hub.asked
    assert {f"mib-bench/ioi@e5f3468f3af4c0883be35cd3bced8c711c95d286/{split}" for split in SPLITS} <= set(the_hub.asked)
    assert "[4/4] data mib/mcqa" in ran.err


def test_licences_are_named_with_how_to_accept_them(run, the_hub):
    ran = run("pull", "run.yaml")
    assert "https://huggingface.co/meta-llama/Llama-3.1-8B" in ran.out
    assert "hf auth login" in ran.out
    assert "2 of 4 are here. The others could not be had." in ran.out


def test_an_offline_run_finds_what_was_pulled(run, the_hub, monkeypatch):
    assert run("pull", "run.yaml", "--model", "gpt2").status == 0
    _forget()
    the_hub.offline.append(True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    ran = run("run", "run.yaml", "--model", "gpt2", "--json")
    assert ran.status == 0, ran.err
    assert [record["status"] for record in ran.json["records"]] == ["ok"]


def test_an_offline_run_without_a_pull_finds_nothing(run, the_hub, monkeypatch):
    the_hub.offline.append(True)
    monkeypatch.setattr("mibench.runner.needs.HUB_SECONDS", 0.01)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert run("pull", "run.yaml", "--model", "gpt2").status == 1


def test_a_dry_run_lists_what_would_be_fetched_with_sizes_and_fetches_nothing(run, the_hub, monkeypatch):
    part = type("Part", (), {"rfilename": "model.safetensors", "size": 5_000_000})()
    other = type("Part", (), {"rfilename": "onnx/model.onnx", "size": 9_000_000})()
    info = type("Info", (), {"siblings": [part, other]})()
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **__: info)
    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", lambda *_, **__: _raise())
    found = {row["name"]: row for row in run("pull", "run.yaml", "--dry-run", "--json").json["items"]}
    assert {row["status"] for row in found.values()} == {"wanted"}
    assert (found["gpt2"]["bytes"], found["mib/ioi"]["bytes"]) == (5_000_000, None)
    assert "5 MB" in run("pull", "run.yaml", "--dry-run").out
    assert the_hub.asked == []


def _raise() -> None:
    raise ConnectionError("there is no network")


def test_a_run_that_needs_nothing_from_elsewhere_is_ready(run, the_hub):
    Path("run.yaml").write_text("{task: planted-ioi, model: planted-ioi-gpt2, method: eap}")
    ran = run("pull", "run.yaml")
    assert ran.status == 0
    assert "1 of 1 are here." in ran.out


def test_dictionaries_of_the_hub_are_fetched_and_a_streamed_text_cannot_be(run, the_hub, monkeypatch):
    folders = []
    monkeypatch.setattr("mibench.runner.handed_in.refs.hub_folder", lambda *given: folders.append(given) or Path())
    Path("run.yaml").write_text(
        f"{{task: sae-core, model: gpt2, artifact: 'hub:org/saes@main/a', corpus: 'hub:org/text@{COMMIT}'}}"
    )
    found = {row["kind"]: row for row in run("pull", "run.yaml", "--json").json["items"]}
    assert {kind: row["status"] for kind, row in found.items()} == {
        "model": "here", "dictionaries": "here", "text": "failed",
    }  # fmt: skip
    assert folders[0][:2] == ("org/saes", "main")
    assert "streamed" in found["text"]["problem"]["why"]


def test_a_file_that_is_not_there_is_wrong_usage(run, the_hub):
    assert run("pull", "nothing.yaml").status == 2


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--model", "gpt-2"), "Did you mean 'gpt2'"),
        (("--model", "org/name"), "hub/id@revision"),
        (("--task", "ioii"), "Did you mean 'ioi'"),
    ],
)
def test_a_model_or_task_that_does_not_exist_is_wrong_usage(words, said, more, run, the_hub):
    Path("run.yaml").write_text("{task: ioi, model: gpt2, method: eap}")
    ran = run("pull", "run.yaml", *words, *more)
    assert ran.status == 2
    assert said in ran.err
    assert the_hub.asked == []


def test_without_a_hub_sizes_of_models_are_estimated_and_said_to_be(run, the_hub, monkeypatch):
    for name in ("model_info", "dataset_info"):
        monkeypatch.setattr(f"huggingface_hub.HfApi.{name}", lambda *_, **__: _raise())
    found = {row["name"]: row for row in run("pull", "run.yaml", "--dry-run", "--json").json["items"]}
    assert found["gpt2"]["bytes"] == pytest.approx(124_439_808 * 4, rel=0.01)
    assert {name: row["estimated"] for name, row in found.items()} == {
        "gpt2": True, "llama-3.1-8b": True, "mib/ioi": False, "mib/mcqa": False,
    }  # fmt: skip
    out = run("pull", "run.yaml", "--dry-run").out
    assert "~16.1 GB" in out
    assert "estimated" in out


def test_where_the_hub_cannot_be_reached_that_is_the_cause_and_the_licence_comes_besides(run, the_hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: _raise())
    ran = run("pull", "run.yaml", "--model", "llama-3.1-8b", "--json")
    problem = ran.json["items"][0]["problem"]
    assert problem["why"] == "The hub cannot be reached from here: there is no network"
    assert problem["do"].startswith("Connect to the network")
    assert "licence" in problem["do"]


def test_what_the_hub_itself_refuses_is_not_laid_on_the_network(run, the_hub):
    found = {row["name"]: row for row in run("pull", "run.yaml", "--json").json["items"]}
    problem = found["llama-3.1-8b"]["problem"]
    assert "reached" not in problem["why"]
    assert "ccept the licence" in problem["do"]
