from __future__ import annotations

import shutil
from pathlib import Path

import foreign_dictionaries as foreign
import pytest

from mibench.artifacts.dictionary_files import format_of, is_dictionary, load_dictionary, save_dictionary_as
from mibench.core.errors import ArtifactError, DataError, UsageError

DICTIONARY = foreign.EXAMPLES["topk"]
FORMS = {
    "native": "d.safetensors",
    "generic": "d.safetensors",
    "saelens": "d",
    "dictionary-learning": "d",
    "sparsify": "d",
}


@pytest.fixture(params=FORMS)
def written(request, tmp_path):
    path = tmp_path / FORMS[request.param]
    save_dictionary_as(DICTIONARY, path, request.param)
    return path


def test_a_file_of_a_folder_stands_for_the_folder(written):
    weights = ("sae_weights.safetensors", "ae.pt", "sae.safetensors")
    files = [written / name for name in weights if (written / name).is_file()] or [written]
    assert is_dictionary(files[0])
    assert load_dictionary(files[0]).digest == DICTIONARY.digest


def test_what_the_user_says_must_agree(written):
    assert load_dictionary(written, model="x/GPT2", hook="blocks.3.hook_resid_post").place.model == "x/GPT2"
    for said in ({"model": "gpt2-medium"}, {"hook": "residual-post.L4"}, {"hook": "residual-post.L3->mlp-out.L3"}):
        if said.get("hook", "").endswith("mlp-out.L3") and written.suffix:
            continue
        with pytest.raises(ArtifactError, match="cannot be used"):
            load_dictionary(written, **said)


def test_a_hook_point_that_is_none_is_a_wrong_argument(written):
    with pytest.raises(DataError):
        load_dictionary(written, hook="somewhere")


def test_nothing_is_overwritten(written):
    before = {path: path.read_bytes() for path in written.parent.rglob("*") if path.is_file()}
    form = format_of(written)
    with pytest.raises(UsageError, match="not overwritten"):
        save_dictionary_as(foreign.EXAMPLES["frozen decoder"], written, form)
    assert before == {path: path.read_bytes() for path in written.parent.rglob("*") if path.is_file()}
    if written.suffix:
        save_dictionary_as(foreign.EXAMPLES["frozen decoder"], written, form, overwrite=True)
        assert load_dictionary(written).architecture == "frozen-decoder"
    else:
        with pytest.raises(UsageError, match="not overwritten"):
            save_dictionary_as(DICTIONARY, written, form, overwrite=True)


def test_a_dictionary_that_cannot_be_used_is_not_written(tmp_path):
    broken = {**DICTIONARY.tensors, "b_enc": DICTIONARY.tensors["b_enc"][:-1]}
    wrong = type(DICTIONARY)(DICTIONARY.place, "topk", DICTIONARY.rule, broken)
    for form, name in FORMS.items():
        with pytest.raises(ArtifactError):
            save_dictionary_as(wrong, tmp_path / name, form)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "form"),
    [("d.txt", "generic"), ("d.npy", "gemma-scope"), ("d", "native"), ("d", "onnx"), ("d\0", "saelens")],
)
def test_a_name_or_format_that_does_not_exist_is_refused(tmp_path, name, form):
    with pytest.raises(UsageError):
        save_dictionary_as(DICTIONARY, tmp_path / name, form)


def test_two_formats_in_one_folder_are_refused(tmp_path):
    folder = tmp_path / "both"
    save_dictionary_as(DICTIONARY, folder, "saelens")
    save_dictionary_as(DICTIONARY, tmp_path / "other", "dictionary-learning")
    for path in (tmp_path / "other").iterdir():
        shutil.copy(path, folder)
    assert not is_dictionary(folder)
    with pytest.raises(ArtifactError, match="cannot be used"):
        load_dictionary(folder)


@pytest.mark.parametrize("name", ["missing", "missing.safetensors", "x" * 5000, "a\0b", "."])
def test_what_is_not_there_is_no_dictionary(tmp_path, name):
    assert not is_dictionary(tmp_path / name)
    with pytest.raises(UsageError, match="is no dictionary"):
        load_dictionary(tmp_path / name)


def test_other_files_are_no_dictionaries(tmp_path):
    (tmp_path / "text.json").write_text("{}")
    (tmp_path / "half.safetensors").write_bytes(b"\x10")
    (tmp_path / "half.npz").write_bytes(b"PK")
    (tmp_path / "cfg.json").write_text("{}")
    assert not any(is_dictionary(path) for path in tmp_path.iterdir())
    assert not is_dictionary(tmp_path)
    model = Path(__file__).parents[2] / "golden" / "tiny_gpt2" / "model.safetensors"
    assert model.is_file()
    assert not is_dictionary(model)
