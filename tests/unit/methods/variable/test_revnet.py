import numpy as np
import pytest
from alignment_cases import LAST, call, intervention, outputs, view

from mibench.core.errors import MethodError


def test_the_loss_goes_down_below_that_of_das():
    given = {"k": 4, "epochs": 15, "lr": 0.03}
    nonlinear = call("revnet", view(), **given).meta["log"][LAST.name]["loss"]
    linear = call("das", view(), **given).meta["log"][LAST.name]["loss"]
    assert nonlinear[-1] < nonlinear[0]
    assert nonlinear[-1] < linear[-1]


def test_it_is_marked_as_a_control():
    assert call("revnet", view(), epochs=1).meta["board"] == "control"
    assert "board" not in call("das", view(), epochs=1).meta


def test_k_features_of_as_many_as_the_site_is_wide_are_swapped():
    found = call("revnet", view(), k=3, blocks=2, hidden=8, epochs=1)
    assert found[LAST].select == (0, 1, 2)
    assert found[LAST].validate(16) == 16
    assert [one.kind for one in found[LAST].operations] == ["orthogonal", "coupling", "coupling"]


def test_more_features_than_the_site_is_wide_are_refused():
    with pytest.raises(MethodError, match="17 features do not fit"):
        call("revnet", view(), k=17)


def test_what_is_handed_in_does_what_was_trained():
    found = call("revnet", view(), epochs=1, batch=24, lr=1e-9)
    loss = -outputs(view(), intervention(found)).label_logprob.mean()
    assert found.meta["log"][LAST.name]["loss"][0] == pytest.approx(loss, rel=1e-4)


def test_the_same_seed_gives_the_same_bytes():
    first, again, other = (call("revnet", view(seed=seed), epochs=1) for seed in (2, 2, 3))
    assert first.digest == again.digest
    assert first.digest != other.digest
    assert np.isfinite(first.n_parameters)
