from __future__ import annotations

import numpy as np
import pytest
import torch
from featurizer_examples import example, rotation

from mibench.artifacts.featurizers.featurizers import SiteFeaturizer, featurizers_of
from mibench.artifacts.featurizers.operation import Operation
from mibench.core.errors import DataError
from mibench.core.sites import Site
from mibench.core.truth import KnownSite, TaskTruth
from mibench.engine.featurizers.edit import edit_of
from mibench.metrics.truth.subspace import subspace_overlap
from mibench.tracks.site_truth import site_overlaps, swapped_directions

WIDTH = 6
TRUTH = TaskTruth(
    edges=(),
    sites=(
        KnownSite(variable="answer", layer=1, position="last", subspace="answer"),
        KnownSite(variable="answer", layer=2, position="last"),
    ),
)
BASIS = np.eye(WIDTH)[:2]


def featurizers(sites):
    return featurizers_of(sites, model="m", task="t", variable="answer")


@pytest.mark.parametrize(
    "kinds",
    [("identity",), ("affine", "orthogonal"), ("linear",), ("householder",), ("householder", "linear", "orthogonal")],
)
@pytest.mark.parametrize("select", ["all", (1, 3)])
def test_the_directions_span_all_that_interchanges_change(kinds, select):
    rng = np.random.default_rng(0)
    operations = tuple(example(kind, rng, WIDTH) for kind in kinds)
    one = SiteFeaturizer(Site(1, "last"), operations, select)
    base, source = (torch.tensor(rng.normal(size=(40, 1, WIDTH))) for _ in range(2))
    changed = (edit_of(one, device="cpu", dtype=torch.float64)(base, source) - base).numpy()[:, 0]
    found = swapped_directions(one, WIDTH)
    assert np.linalg.matrix_rank(changed, tol=1e-8) == np.linalg.matrix_rank(found, tol=1e-8) == one.n_selected(WIDTH)
    assert subspace_overlap(found, changed).value == pytest.approx(1)


@pytest.mark.parametrize(
    ("kind", "select", "reason"),
    [
        ("sae", "all", "sae swaps no linear subspace"),
        ("coupling", "all", "coupling"),
        ("orthogonal", (), "swaps nothing"),
    ],
)
def test_what_swaps_no_subspace_says_so(kind, select, reason):
    one = SiteFeaturizer(Site(1, "last"), (example(kind, np.random.default_rng(0), WIDTH),), select)
    assert reason in swapped_directions(one, WIDTH)


def test_true_sites_are_compared_with_the_known_subspace():
    turned = np.stack([np.eye(WIDTH)[0], np.eye(WIDTH)[5]], axis=1)
    found = site_overlaps(
        featurizers(
            {
                "residual-post.L1@last": Operation("orthogonal", {"rotation": turned}),
                "residual-pre.L2@last": Operation("identity"),
                "residual-post.L2@last": Operation("identity"),
                "residual-post.L3@last": Operation("identity"),
            }
        ),
        TRUTH,
        {"answer": BASIS.astype(np.float32)},
    )
    assert set(found) == {"residual-post.L1@last", "residual-pre.L2@last", "residual-post.L2@last"}
    assert (found["residual-post.L1@last"].value, found["residual-post.L1@last"].floor) == (pytest.approx(0.5), 2 / 6)
    assert (found["residual-pre.L2@last"].value, found["residual-pre.L2@last"].floor) == (1.0, 1.0)
    assert found["residual-post.L2@last"].reason == "the true subspace is not known"


def test_another_width_gives_a_reason():
    narrow = Operation("orthogonal", {"rotation": rotation(np.random.default_rng(0), 4, 2)})
    found = site_overlaps(featurizers({"residual-post.L1@last": narrow}), TRUTH, {"answer": BASIS})
    assert "4 wide" in found["residual-post.L1@last"].reason


def test_a_subspace_that_is_not_there_is_refused():
    with pytest.raises(DataError, match="no subspace 'answer'"):
        site_overlaps(featurizers({"residual-post.L1@last": Operation("identity")}), TRUTH, {})
