"""Provenance says where a record was made, and gives no secret away."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

import mibench
from mibench.records.record import Provenance
from mibench.runner import provenance
from mibench.runner.provenance import Setting, collect, git_state, package_versions, redact, redact_text

NO_GIT = {"git_commit": None, "git_dirty": None, "git_remote": None}


def git(folder: Path, *words: str) -> str:
    names = [
        f"GIT_{who}_{what}={value}"
        for who in ("AUTHOR", "COMMITTER")
        for what, value in [("NAME", "a"), ("EMAIL", "a@b")]
    ]
    done = subprocess.run(["env", *names, "git", "-C", str(folder), *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Return a package folder that a new repository tracks."""
    folder = tmp_path / "repo" / "package"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    git(folder.parent, "init", "-q")
    git(folder.parent, "add", ".")
    git(folder.parent, "commit", "-q", "-m", "first")
    return folder


def test_the_state_of_a_clean_and_of_a_changed_tree(package: Path) -> None:
    commit = git(package, "rev-parse", "HEAD")
    assert git_state(package) == {"git_commit": commit, "git_dirty": False, "git_remote": None}
    (package / "__init__.py").write_text("x = 1\n")
    assert git_state(package) == {"git_commit": commit, "git_dirty": True, "git_remote": None}


@pytest.mark.parametrize(
    ("remote", "kept"),
    [("/home/me/mibench", False), ("../mibench", False), ("file:///home/me/mibench", False),
     ("git@example.org:a/b.git", True), ("ssh://git@example.org/a/b.git", True)],
)  # fmt: skip
def test_a_remote_that_is_a_folder_of_this_machine_is_left_out(package: Path, remote: str, kept: bool) -> None:
    git(package, "remote", "add", "origin", remote)
    assert (git_state(package)["git_remote"] is not None) == kept


def test_credentials_of_the_remote_are_left_out(package: Path) -> None:
    git(package, "remote", "add", "origin", "https://me:s3cret@example.org/a/b.git")
    assert git_state(package)["git_remote"] == "https://example.org/a/b.git"


def test_a_package_inside_somebody_elses_repository_has_no_commit(package: Path) -> None:
    installed = package.parent / "venv" / "mibench"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    assert git_state(installed) == NO_GIT


def test_without_a_repository_a_commit_or_git_there_is_no_state(
    tmp_path: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert git_state(tmp_path) == NO_GIT
    assert git_state(tmp_path / "none") == NO_GIT
    monkeypatch.setattr(provenance.shutil, "which", lambda name: None)
    assert git_state(package) == NO_GIT


def test_a_hooks_repository_is_not_mistaken_for_ours(
    tmp_path: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = git_state(package)
    git(tmp_path, "init", "-q", "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    assert expected["git_commit"] is not None
    assert git_state(package) == expected


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("https://me:pw@host/x", "https://host/x"),
        ("https://token@host/x.git", "https://host/x.git"),
        ("ssh://git@host/x", "ssh://host/x"),
        ("git@host:a/b.git", "git@host:a/b.git"),
        ("hub/model@main", "hub/model@main"),
        ("https://host/x@v1", "https://host/x@v1"),
        ("https://host/x?a=1&access_token=abc&b=2", "https://host/x?a=1&access_token=***&b=2"),
        ("hf_abcdefghijklmnop", "***"),
        ("--out=ghp_abcdefghijklmnop/x", "--out=***/x"),
        ("risk-averse.jsonl", "risk-averse.jsonl"),
    ],
)
def test_credentials_are_taken_out_of_a_text(text: str, clean: str) -> None:
    assert redact_text(text) == clean


def test_values_of_secret_flags_are_taken_out_of_a_command() -> None:
    words = [
        "mibench",
        "run",
        "--hf-token",
        "abc",
        "--api_key=abc",
        "HF_TOKEN=abc",
        "--password",
        "--task",
        "ioi",
    ]
    clean = [
        "mibench",
        "run",
        "--hf-token",
        "***",
        "--api_key=***",
        "HF_TOKEN=***",
        "--password",
        "--task",
        "ioi",
    ]
    assert redact(words) == clean


def test_flags_that_only_resemble_secrets_are_kept() -> None:
    words = ["--tokenizer", "gpt2", "--max-tokens=5", "tokens", "x", "token", "y", "--monkey=1"]
    assert redact(words) == words


def test_what_was_set_and_what_was_found_is_collected() -> None:
    before = datetime.now(UTC)
    setting = Setting(device="cpu", batch_size=8, executor="process", tolerance=1e-5)
    found = collect(setting, command=["mibench", "--token=abc"])
    assert (found.device, found.batch_size, found.executor, found.tolerance) == ("cpu", 8, "process", 1e-5)
    assert found.command == ["mibench", "--token=***"]
    assert found.mibench == mibench.__version__
    assert found.python == ".".join(map(str, sys.version_info[:3]))
    assert before <= found.created_at <= datetime.now(UTC)
    assert Provenance.model_validate_json(found.model_dump_json()) == found


def test_the_command_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["mibench", "run", "https://a:b@c/d"])
    assert collect().command == ["mibench", "run", "https://c/d"]


def test_versions_are_those_of_the_installed_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    required = ["PyYAML>=6", "absent-package>=1; python_version > '3'", "pytest>=8; extra == 'dev'"]
    monkeypatch.setattr(provenance.metadata, "requires", lambda name: required)
    versions = package_versions()
    assert versions["numpy"] == np.__version__
    assert "pyyaml" in versions
    assert "absent-package" not in versions
    assert "pytest" not in versions


def test_determinism_flags_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    flags = collect().determinism
    assert flags["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert "PYTHONHASHSEED" not in flags


def run_python(code: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(Path(mibench.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_torch_is_not_imported_for_provenance_or_records() -> None:
    code = (
        "import sys; from mibench.runner.provenance import collect; import mibench.runner.cells.meter;"
        "import mibench.records.store; found = collect();"
        "print('torch' in sys.modules, 'pandas' in sys.modules, found.threads)"
    )
    assert run_python(code) == "False False 1"


def test_torch_is_asked_when_it_is_there() -> None:
    code = (
        "import torch; torch.set_num_threads(2); torch.use_deterministic_algorithms(True);"
        "from mibench.runner.provenance import collect; found = collect();"
        "print(found.threads, found.determinism['deterministic_algorithms'], found.packages['torch'])"
    )
    threads, deterministic, version = run_python(code).split()
    assert (threads, deterministic) == ("2", "True")
    assert version[0].isdecimal()
