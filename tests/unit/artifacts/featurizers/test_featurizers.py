from __future__ import annotations

from dataclasses import replace

import featurizer_examples as examples
import numpy as np
import pytest

from mibench.artifacts.featurizers.featurizers import Featurizers, SiteFeaturizer, featurizers_of
from mibench.artifacts.featurizers.operation import Operation
from mibench.artifacts.featurizers.selection import checked_select, is_empty, mask_of
from mibench.core.errors import ArtifactError, DataError
from mibench.core.sites import Component, Site

IDENTITY = (Operation("identity"),)
ROTATION = (Operation("orthogonal", {"rotation": np.eye(6, 3)}),)
SITE = Site(1, "last")


def featurizers(*sites, **said):
    named = {"model": "gpt2", "task": "ioi", "variable": "output_token"} | said
    return Featurizers(named["model"], named["task"], named["variable"], tuple(sites))


def test_a_selection_is_all_indices_or_a_mask():
    assert checked_select("all") == "all"
    assert checked_select([3, 0, np.int64(2)]) == (0, 2, 3)
    assert checked_select(np.array([4, 1])) == (1, 4)
    assert mask_of((0, 2), 4).tolist() == [True, False, True, False]
    assert mask_of("all", 2).all()
    assert mask_of(checked_select(np.array([False, True])), 2).tolist() == [False, True]


@pytest.mark.parametrize("empty", [(), [], np.array([], dtype=int), np.zeros(3, bool)])
def test_an_empty_selection_stays_empty(empty):
    select = checked_select(empty)
    assert is_empty(select)
    assert not mask_of(select, 3).any()


@pytest.mark.parametrize(
    "wrong",
    [None, "none", "", 3, True, [True, False], [0.0], [1, 1], [-1], [None], "012", {"a": 1}, np.zeros((2, 2), bool)],
)
def test_anything_else_is_no_selection(wrong):
    with pytest.raises(ArtifactError, match=r"select|does not say"):
        SiteFeaturizer(SITE, IDENTITY, wrong)


@pytest.mark.parametrize("select", [(3,), np.ones(4, bool), np.ones(2, bool)], ids=str)
def test_a_selection_outside_the_features_is_refused_and_the_site_named(select):
    with pytest.raises(ArtifactError, match=r"(?s)residual-post.L1@last"):
        featurizers(SiteFeaturizer(SITE, ROTATION, select)).validate()


def test_the_width_of_an_identity_is_known_from_the_model():
    one = SiteFeaturizer(SITE, IDENTITY, (7,))
    head = SiteFeaturizer(Site(1, "all", Component.HEAD, 2), IDENTITY, (3,))
    found = featurizers(one, head)
    found.validate()
    found.check_model(8, 4, 2, 3)
    with pytest.raises(ArtifactError, match="feature 7 of 7"):
        found.check_model(7, 4, 2, 3)
    with pytest.raises(ArtifactError, match="feature 3 of 3"):
        found.check_model(8, 3, 2, 3)


def test_shapes_have_to_fit_the_model():
    found = featurizers(SiteFeaturizer(SITE, ROTATION, "all"))
    found.check_model(6, 3, 2, 3)
    with pytest.raises(ArtifactError, match=r"residual-post.L1@last.*shape \[6, 3\], not \[d = 8, k\]"):
        found.check_model(8, 3, 2, 3)


@pytest.mark.parametrize("sizes", [(8, 4, 1, 3), (8, 4, 2, 2)])
def test_a_site_that_the_model_does_not_have_is_refused(sizes):
    head = SiteFeaturizer(Site(1, "all", Component.HEAD, 2), IDENTITY, "all")
    featurizers(head).check_model(8, 4, 2, 3)
    with pytest.raises(ArtifactError, match=r"head.L1.H2@all is not in a model"):
        featurizers(head).check_model(*sizes)


@pytest.mark.parametrize("name", ["model", "task", "variable"])
@pytest.mark.parametrize("wrong", ["", " ", None, 3, "x" * 201])
def test_model_task_and_variable_are_stated(name, wrong):
    with pytest.raises(ArtifactError, match=f"(?s)The {name} is.*State the {name}"):
        featurizers(SiteFeaturizer(SITE, IDENTITY, "all"), **{name: wrong}).validate()


@pytest.mark.parametrize(
    "site",
    [
        Site(-1, "last"),
        Site(1, "a position"),
        Site(1, "last", Component.RESIDUAL_POST, 2),
        Site(1, "all", Component.HEAD),
    ],
)
def test_a_site_that_has_no_name_is_refused(site):
    with pytest.raises(ArtifactError):
        featurizers(SiteFeaturizer(site, IDENTITY, "all")).validate()


def test_there_is_a_site_and_none_is_there_twice():
    one = SiteFeaturizer(SITE, IDENTITY, "all")
    with pytest.raises(ArtifactError, match="0 sites"):
        featurizers().validate()
    with pytest.raises(ArtifactError, match="more than one"):
        featurizers(one, replace(one, operations=ROTATION)).validate()


def test_features_selected_and_parameters_are_counted():
    rotated = SiteFeaturizer(SITE, ROTATION, "all")
    assert (rotated.n_features(), rotated.n_selected(), rotated.n_parameters) == (3, 3, 18)
    assert replace(rotated, select=(1,)).n_selected() == 1
    assert replace(rotated, select=np.array([True, False, True])).n_selected() == 2
    plain = SiteFeaturizer(Site(2, "last"), IDENTITY, "all")
    assert (plain.n_features(), plain.n_selected(), plain.n_selected(8), plain.n_parameters) == (None, None, 8, 0)
    assert featurizers(rotated, plain).n_parameters == 18


def test_a_site_is_found_by_where_it_is_and_a_missing_one_is_missing():
    one = SiteFeaturizer(SITE, IDENTITY, "all")
    found = featurizers(one)
    assert found[SITE] is one
    assert SITE in found
    assert Site(2, "last") not in found


def test_the_digest_is_of_what_the_intervention_does():
    one, other = SiteFeaturizer(SITE, ROTATION, (0, 2)), SiteFeaturizer(Site(0, "last"), IDENTITY, "all")
    first = featurizers(one, other)
    assert first.digest == featurizers(other, one).digest
    assert first.digest == featurizers(other, replace(one, select=np.array([True, False, True]))).digest
    assert first.digest == replace(first, meta={"seen": "today"}, method="das").digest
    changed = [
        replace(first, model="other"),
        featurizers(replace(one, select=()), other),
        featurizers(replace(one, operations=(Operation("orthogonal", {"rotation": np.eye(6, 4)}),)), other),
        featurizers(one),
    ]
    assert len({first.digest, *(each.digest for each in changed)}) == 5


def test_an_edit_is_told_from_an_interchange_and_selects_all():
    edit = examples.example("low_rank_edit", np.random.default_rng(0))
    one = SiteFeaturizer(SITE, (edit,), "all")
    assert featurizers(one).is_edit
    assert not featurizers(SiteFeaturizer(SITE, ROTATION, "all")).is_edit
    with pytest.raises(ArtifactError, match="selects features of an edit"):
        featurizers(replace(one, select=(0,))).validate()


def test_operations_by_site_are_collected():
    given = {
        "residual-post.L1@last": Operation("identity"),
        Site(2, "last"): [ROTATION[0]],
        "head.L0.H1@all": (IDENTITY, (1,)),
        "residual-post.L3@last": (ROTATION[0], np.array([True, False, False])),
        "residual-post.L4@last": [ROTATION[0], Operation("affine", {"mean": np.zeros(3), "scale": np.ones(3)})],
    }
    found = featurizers_of(given, model="gpt2", task="ioi", variable="output_token")
    assert [len(one.operations) for one in found.sites] == [1, 1, 1, 1, 2]
    assert [one.n_selected(6) for one in found.sites] == [1, 6, 3, 1, 3]


@pytest.mark.parametrize("wrong", [("a", "all"), ["a", "b", "c"], (ROTATION, None), [], (("x",), "all")])
def test_what_is_no_operation_is_refused(wrong):
    with pytest.raises(ArtifactError):
        featurizers_of({SITE: wrong}, model="gpt2", task="ioi", variable="output_token")


def test_a_name_of_no_site_is_refused():
    with pytest.raises(DataError, match="not the name of a site"):
        featurizers_of({"layer 3": IDENTITY}, model="gpt2", task="ioi", variable="output_token")
