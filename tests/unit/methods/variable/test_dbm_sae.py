import numpy as np
import pytest
import torch
from alignment_cases import EARLY, LAST, call, edit_at, intervention, outputs, view

from mibench.artifacts.featurizers.featurizers import featurizers_of
from mibench.artifacts.featurizers.files import save_featurizers
from mibench.artifacts.featurizers.operation import Operation
from mibench.core.errors import ArtifactError, UsageError


def dictionary(seed=0, width=16, features=24):
    draw = np.random.default_rng(seed)
    shapes = {"w_enc": (width, features), "b_enc": (features,), "w_dec": (features, width), "b_dec": (width,)}
    tensors = {name: draw.normal(size=shape).astype(np.float32) / 4 for name, shape in shapes.items()}
    return Operation("sae", tensors, {"act": "relu"})


@pytest.fixture
def saved(tmp_path):
    def save(sites, *, model="tiny"):
        path = tmp_path / "dictionaries.safetensors"
        save_featurizers(featurizers_of(sites, model=model, task="none", variable="none"), path, overwrite=True)
        return str(path)

    return save


def test_the_selected_features_are_swapped_and_the_error_stays_the_bases(saved):
    found = call("dbm-sae", view(), dictionary=saved({LAST: [dictionary()]}), sparsities="0", lr=0.1, epochs=4)
    mask = found[LAST].select
    assert mask.shape == (24,)
    assert 0 < mask.sum() < 24
    base, source = torch.randn(2, 4, 1, 16)
    tensors = {name: torch.tensor(array) for name, array in dictionary().tensors.items()}
    of_base, of_source = ((x @ tensors["w_enc"] + tensors["b_enc"]).relu() for x in (base, source))
    expected = base + ((of_source - of_base) * torch.tensor(mask)) @ tensors["w_dec"]
    assert torch.allclose(edit_at(found)(base, source), expected, atol=1e-5)


def test_an_empty_mask_swaps_nothing(saved):
    found = call("dbm-sae", view(), dictionary=saved({LAST: [dictionary()]}), sparsities="1e5")
    given = outputs(view(), intervention(found), ())
    assert found[LAST].n_selected() == 0
    assert np.allclose(given.label_logprob[0], given.label_logprob[1], atol=1e-5)


def test_the_dictionary_is_handed_in_as_it_was_given(saved):
    found = call("dbm-sae", view(), dictionary=saved({LAST: [dictionary()]}), variant="mib", epochs=1)
    (operation,) = found[LAST].operations
    assert all(np.array_equal(array, operation.tensors[name]) for name, array in dictionary().tensors.items())


def test_a_site_without_a_dictionary_is_told(saved):
    path = saved({EARLY: [dictionary()], LAST: [Operation("identity")]})
    with pytest.raises(UsageError) as told:
        call("dbm-sae", view(), dictionary=path)
    assert "no dictionary at residual-post.L1@last" in str(told.value)
    assert "residual-post.L0@last" in told.value.why


def test_a_dictionary_of_another_model_is_refused(saved):
    with pytest.raises(UsageError, match="not of this model"):
        call("dbm-sae", view(), dictionary=saved({LAST: [dictionary()]}, model="other"))


def test_a_dictionary_of_another_width_is_refused(saved):
    with pytest.raises(ArtifactError):
        call("dbm-sae", view(), dictionary=saved({LAST: [dictionary(width=8)]}))


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UsageError, match="no file of featurizers"):
        call("dbm-sae", view(), dictionary=str(tmp_path / "nothing.safetensors"))


def test_it_cannot_be_run_without_a_dictionary():
    with pytest.raises(UsageError, match="needs 'dictionary'"):
        call("dbm-sae", view())
