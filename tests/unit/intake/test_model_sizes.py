from __future__ import annotations

import json

import pytest

from mibench.core.errors import ModelError, UsageError
from mibench.core.hook_points import HookKind
from mibench.graph.graph import Graph
from mibench.intake.model_sizes import model_sizes
from mibench.models.catalogue import CATALOGUE


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_sizes_of_the_catalogue_are_its_own(name):
    spec, found = CATALOGUE[name], model_sizes(name, {})
    assert (found.graph.n_layers, found.graph.n_heads, found.d_model) == (spec.n_layers, spec.n_heads, spec.d_model)
    assert found.graph.parallel == name.startswith("pythia")
    # Gemma 2's heads are narrower than its stream divided by them.
    assert found.head_dim == (256 if name == "gemma-2-2b" else spec.d_model // spec.n_heads)


def test_sizes_of_a_planted_model_are_those_of_its_folder():
    found = model_sizes("planted-induction-gpt2", {})
    assert found.graph == Graph(2, 4, False)
    assert found.d_model == 256


def test_the_heads_of_a_layer_are_as_wide_as_all_of_them_together():
    found = model_sizes("gemma-2-2b", {})
    assert found.width(HookKind.HEADS) == 2048
    assert found.width(HookKind.RESIDUAL_POST) == 2304


def config(folder, **values):
    (folder / "config.json").write_text(json.dumps(values), encoding="utf-8")
    return folder


def test_a_folder_gives_the_sizes_of_a_model_that_no_list_has(tmp_path):
    folder = config(
        tmp_path,
        model_type="gpt_neox",
        architectures=["GPTNeoXForCausalLM"],
        num_hidden_layers=5,
        num_attention_heads=2,
        hidden_size=8,
        use_parallel_residual=False,
    )
    found = model_sizes("mine", {"mine": folder})
    assert found.graph == Graph(5, 2, False)
    assert (found.d_model, found.head_dim) == (8, 4)


def test_a_model_that_nobody_knows_is_refused():
    with pytest.raises(UsageError, match="is not known") as caught:
        model_sizes("gtp2", {})
    assert "gpt2" in caught.value.do
    assert "--model-folder gtp2=FOLDER" in caught.value.do


@pytest.mark.parametrize("values", [{}, {"model_type": "gpt2"}, {"model_type": "bert", "architectures": ["BertModel"]}])
def test_a_folder_of_no_known_family_is_refused(tmp_path, values):
    with pytest.raises(ModelError):
        model_sizes("mine", {"mine": config(tmp_path, **values)})


def test_code_of_a_folder_is_not_run(tmp_path):
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n", encoding="utf-8")
    folder = config(tmp_path, model_type="evil", auto_map={"AutoConfig": "evil.Config"}, architectures=["X"])
    with pytest.raises(ModelError):
        model_sizes("mine", {"mine": folder})
    assert not (tmp_path / "ran").exists()
