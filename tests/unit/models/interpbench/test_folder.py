"""From the hub's files, or a folder of them, to a model that loads: once, whole, and by nobody's code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lens_models import CONFIG, GRAPH, TRUE_EDGES, WEIGHTS, lens_folder, lens_graph, pickled_config
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from mibench.core.errors import MibenchError, ModelError, UsageError
from mibench.core.hashing import file_digest
from mibench.models.cache import converted_folder
from mibench.models.catalogue import model_spec
from mibench.models.digest import folder_digest
from mibench.models.interpbench.config import lens_config
from mibench.models.interpbench.folder import MANIFEST_FILE, convert_lens, read_lens_manifest
from mibench.models.interpbench.forward import lens_logits
from mibench.models.interpbench.graph_truth import truth_edges
from mibench.models.interpbench.pickle_fields import pickled_fields
from mibench.models.interpbench.state import read_weights
from mibench.models.load import load_hf
from mibench.models.pull import pull

NAME = "interpbench"
SPEC = model_spec(NAME)
COMMIT, OTHER_COMMIT = "ab" * 20, "cd" * 20


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the hub repository."""
    return lens_folder(tmp_path_factory.mktemp("published"))


@pytest.fixture
def source(published: Path, tmp_path: Path) -> Path:
    """A copy of them that a test may change."""
    return shutil.copytree(published, tmp_path / "source")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, and no network."""
    folder = tmp_path / "hub"
    folder.mkdir()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
    return folder


def on_hub(hub: Path, repo: str, commit: str) -> Path:
    """The folder of a commit in the hub cache, to be filled."""
    place = hub / f"models--{repo.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(commit)
    return place / "snapshots" / commit


def save_tokenizer(folder: Path) -> None:
    inner = Tokenizer(models.WordLevel({"<|endoftext|>": 0, "Mary": 1, "John": 2}, unk_token="<|endoftext|>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<|endoftext|>").save_pretrained(folder)


@pytest.mark.usefixtures("private_cache")
class TestPulling:
    def test_a_model_of_the_hub_loads_with_its_logits_tokenizer_and_truth(self, published: Path, hub: Path) -> None:
        shutil.copytree(published, on_hub(hub, SPEC.hub_id, COMMIT))
        save_tokenizer(on_hub(hub, "openai-community/gpt2", OTHER_COMMIT))
        said: list[str] = []
        folder = pull(NAME, progress=said.append)
        loaded = load_hf(NAME, dtype="float64")
        assert (loaded.folder, loaded.digest, loaded.name) == (folder, folder_digest(folder), NAME)
        assert "not verified" in loaded.note
        assert loaded.tokenizer is not None
        assert (loaded.tokenizer.bos_id, loaded.tokenizer.encode("John Mary")) == (0, [2, 1])
        assert truth_edges(folder) == tuple(sorted(TRUE_EDGES, key=list(truth_edges(published)).index))
        config = lens_config(pickled_fields(published / CONFIG))
        ids = np.arange(20) % 7
        with torch.no_grad():
            found = loaded.model(torch.tensor(ids)[None]).logits[0].numpy()
        expected = lens_logits(config, read_weights(published / WEIGHTS, config), ids)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        manifest = json.loads((folder / MANIFEST_FILE).read_text())
        assert (manifest["source_commit"], manifest["tokenizer_commit"]) == (COMMIT, OTHER_COMMIT)
        assert manifest["source_sha256"]["weights"] == file_digest(published / WEIGHTS)
        assert manifest["true_edges"] == len(TRUE_EDGES)
        assert len(said) == 2

    def test_a_folder_of_the_files_will_do_with_or_without_a_tokenizer(self, source: Path) -> None:
        folder = pull(NAME, source=str(source))
        assert folder == converted_folder(SPEC)
        loaded = load_hf(NAME)
        assert (loaded.tokenizer, loaded.vocab_size) == (None, 37)
        shutil.rmtree(folder)
        save_tokenizer(source)
        assert folder_digest(pull(NAME, source=source)) != loaded.digest
        assert load_hf(NAME).tokenizer is not None

    def test_the_same_files_give_the_same_folder_and_it_is_made_once(self, source: Path) -> None:
        folder = pull(NAME, source=source)
        first = {path.name: path.read_bytes() for path in folder.iterdir()}
        assert pull(NAME, source=source, progress=pytest.fail) == folder
        shutil.rmtree(folder)
        pull(NAME, source=source)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == first

    def test_the_converted_folder_loads_as_a_folder_too(self, source: Path) -> None:
        folder = pull(NAME, source=source)
        assert load_hf(str(folder)).digest == load_hf(NAME).digest

    def test_without_a_network_it_says_what_to_do(self, hub: Path) -> None:
        with pytest.raises(ModelError, match="could not be fetched") as caught:
            pull(NAME)
        assert "HF_HUB_OFFLINE" in caught.value.why
        with pytest.raises(ModelError) as caught:
            load_hf(NAME)
        assert caught.value.do == "mibench models pull interpbench"

    def test_a_hub_tokenizer_that_is_not_there_is_told(self, published: Path, hub: Path) -> None:
        shutil.copytree(published, on_hub(hub, SPEC.hub_id, COMMIT))
        on_hub(hub, "openai-community/gpt2", OTHER_COMMIT).mkdir(parents=True)
        with pytest.raises(ModelError, match="tokenizer"):
            pull(NAME, source="hub")

    @pytest.mark.parametrize("file", [CONFIG, WEIGHTS, GRAPH])
    def test_a_missing_file_is_named(self, file: str, source: Path, private_cache: Path) -> None:
        (source / file).unlink()
        with pytest.raises(UsageError) as caught:
            pull(NAME, source=source)
        assert file in caught.value.what
        assert list((private_cache / "models").iterdir()) == []

    def test_what_is_no_folder_is_a_wrong_command(self, source: Path) -> None:
        with pytest.raises(UsageError) as caught:
            pull(NAME, source=source / CONFIG)
        assert "no folder" in caught.value.why

    def test_a_changed_copy_is_refused(self, source: Path) -> None:
        folder = pull(NAME, source=source)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"layer_norm_epsilon": 0.1}))
        with pytest.raises(ModelError, match="has changed"):
            load_hf(NAME)

    @pytest.mark.parametrize("file", [CONFIG, WEIGHTS])
    def test_a_harmful_file_leaves_nothing_behind(
        self, file: str, source: Path, tmp_path: Path, private_cache: Path
    ) -> None:
        mark = tmp_path / "ran"
        (source / file).write_bytes(b"cposix\nsystem\nX\x08\x00\x00\x00touch /xR.".replace(b"/x", str(mark).encode()))
        with pytest.raises(ModelError):
            pull(NAME, source=source)
        assert not mark.exists()
        assert list((private_cache / "models").iterdir()) == []


def convert(source: Path, folder: Path, **changes: Any) -> None:
    spec = SPEC.model_copy(update=changes)
    assert spec.transformer_lens is not None
    folder.mkdir(exist_ok=True)
    convert_lens(source, folder, spec, spec.transformer_lens, vocabulary=source)


def refuse(source: Path, folder: Path, **changes: Any) -> MibenchError:
    with pytest.raises(ModelError) as caught:
        convert(source, folder, **changes)
    assert not (folder / MANIFEST_FILE).exists()
    return caught.value


def test_a_model_of_other_sizes_is_not_this_one(tmp_path: Path) -> None:
    source = lens_folder(tmp_path / "source", n_layers=5)
    assert "6, 4 and 64" in refuse(source, tmp_path / "built").why


def test_a_graph_of_another_model_is_refused(source: Path, tmp_path: Path) -> None:
    graph = lens_graph(TRUE_EDGES)
    graph["cfg"]["n_heads"] = 3
    (source / GRAPH).write_text(json.dumps(graph))
    assert "not interpbench" in refuse(source, tmp_path / "built").what


def test_weights_that_are_not_the_pinned_ones_are_refused(source: Path, tmp_path: Path) -> None:
    error = refuse(source, tmp_path / "built", weights_sha256="0" * 64)
    assert file_digest(source / WEIGHTS) in error.why


def test_an_architecture_that_is_no_gpt2_is_refused(source: Path, tmp_path: Path) -> None:
    from lens_models import lens_fields

    (source / CONFIG).write_bytes(pickled_config(lens_fields(normalization_type=None)))
    assert "normalization_type" in refuse(source, tmp_path / "built").why


def test_a_tokenizer_that_is_too_large_is_refused(source: Path, tmp_path: Path) -> None:
    with (source / "tokenizer.json").open("wb") as stream:
        stream.truncate(2**27)
    assert "tokenizer.json" in refuse(source, tmp_path / "built").what


@pytest.mark.parametrize(
    "changes",
    [{"converter_version": 0}, {"folder_digest": 3}, {"source_sha256": {"weights": "1" * 64}}, {"source_sha256": None}],
)
def test_a_folder_of_another_conversion_does_not_count(changes: dict[str, Any], tmp_path: Path) -> None:
    spec = SPEC.model_copy(update={"weights_sha256": "2" * 64})
    right = {"converter_version": 1, "folder_digest": "0" * 64, "source_sha256": {"weights": "2" * 64}}
    for content, found in ((right, right), (right | changes, None)):
        (tmp_path / MANIFEST_FILE).write_text(json.dumps(content))
        assert read_lens_manifest(tmp_path, spec) == found
    assert read_lens_manifest(tmp_path / "nowhere", spec) is None
