from __future__ import annotations

import foreign_dictionaries as foreign
import numpy as np
import pytest

from mibench.artifacts.dictionaries import formula
from mibench.artifacts.dictionary_files import FORMATS, format_of, is_dictionary, load_dictionary, save_dictionary_as
from mibench.core.errors import ArtifactError

REFUSED = {
    "native": {},
    "generic": {},
    "saelens": {
        "pca": "activation linear",
        "mlp input": "mlp-in",
        "topk transcoder": "activation topk",
        "topk skip transcoder": "activation topk",
    },
    "dictionary-learning": {
        "topk without pre_bias": "topk without pre_bias",
        "jumprelu with pre_bias": "jumprelu with pre_bias",
        "gated without pre_bias": "gated without pre_bias",
        "pca": "activation linear",
        "layer-norm scaling": "layer-norm",
        "heads": "heads.L2",
        "mlp input": "mlp-in.L2",
        "transcoder": "mlp-normalised",
        "skip transcoder": "mlp-normalised",
        "jumprelu transcoder": "mlp-normalised",
        "topk transcoder": "topk without pre_bias",
        "topk skip transcoder": "topk without pre_bias",
        "skip": "skip",
    },
    "sparsify": {name: "activation" for name, one in foreign.EXAMPLES.items() if one.rule.activation != "topk"}
    | {"topk without pre_bias": "autoencoder without pre_bias"},
    "gemma-scope": {name: "computes" for name, one in foreign.EXAMPLES.items() if one.architecture != "jumprelu"}
    | {"jumprelu with pre_bias": "pre_bias"},
}
"""By format, what it cannot hold, and by which word it says so."""
PAIRS = [(form, name) for form in REFUSED for name in foreign.EXAMPLES]
HOOKS = {"jumprelu transcoder": "mlp-normalised.L3->mlp-out.L3"}


def target(tmp_path, form):
    suffix = ".safetensors" if form == "native" else FORMATS[form].suffix
    return tmp_path / f"mine{suffix}"


@pytest.mark.parametrize(("form", "name"), [pair for pair in PAIRS if pair[1] not in REFUSED[pair[0]]])
def test_what_is_written_computes_the_same_when_it_is_read(form, name, tmp_path):
    dictionary, path = foreign.EXAMPLES[name], target(tmp_path, form)
    save_dictionary_as(dictionary, path, form)
    assert is_dictionary(path)
    assert format_of(path) == form
    hook = HOOKS.get(name, dictionary.place.hook.name) if form == "gemma-scope" else None
    found = load_dictionary(path, model="gpt2", hook=hook)
    assert found.place == dictionary.place
    assert found.architecture == dictionary.architecture
    assert found.training.groups == dictionary.training.groups
    assert found.params == dictionary.params
    if dictionary.rule.scaling != "constant" or form in ("native", "generic"):
        assert found.digest == dictionary.digest
    x = foreign.tokens()
    assert np.allclose(formula.reconstruct(found, x), formula.reconstruct(dictionary, x), atol=2e-6)


@pytest.mark.parametrize(("form", "name"), [pair for pair in PAIRS if pair[1] in REFUSED[pair[0]]])
def test_what_a_format_cannot_hold_is_refused_by_name_and_nothing_is_left(form, name, tmp_path):
    with pytest.raises(ArtifactError) as caught:
        save_dictionary_as(foreign.EXAMPLES[name], target(tmp_path, form), form)
    assert REFUSED[form][name] in caught.value.why
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", sorted(REFUSED))
def test_equal_dictionaries_give_equal_bytes(form, tmp_path):
    name = "jumprelu" if form == "gemma-scope" else "topk"
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        save_dictionary_as(foreign.EXAMPLES[name], target(tmp_path / folder, form), form)
    files = [[one.read_bytes() for one in sorted((tmp_path / folder).rglob("*")) if one.is_file()] for folder in "ab"]
    assert files[0] == files[1]
    assert files[0]
