import numpy as np
import pytest
import torch
from alignment_cases import LAST, model, rows, runs, view

from mibench.artifacts.featurizers.operation import Operation
from mibench.core.errors import MethodError
from mibench.engine.interchange.options import SiteEdit
from mibench.methods.alignment.fitting import Clock, Recipe, fit, intervention_of
from mibench.methods.alignment.masks import Features, shut_mask
from mibench.methods.alignment.subspaces import random_subspaces
from mibench.methods.variable.multi_task_das import balanced
from mibench.runner.cells.meter import Meter
from mibench.tasks.variable_task import Training


def clock():
    return Clock(lambda done, total: None, 0)


def recipe(cell, *, weights=None, epochs=2, batch=8, lr=1e-2, k=4):
    return Recipe(random_subspaces(cell, k), Training(epochs, batch, lr), weights)


def fitted(cell, **options):
    return fit(cell, (LAST,), recipe(cell, **options), clock())


def test_the_loss_goes_down():
    log = fitted(view(), epochs=12, lr=5e-2, k=8).log
    assert len(log) == 12
    assert log[-1] < 0.8 * log[0]


def test_one_full_batch_without_a_step_size_has_the_loss_of_the_interchange_by_hand():
    cell = view()
    made = fitted(cell, epochs=1, batch=24, lr=1e-12)
    (batch,) = runs(cell).minibatches(24, torch.Generator())
    logits = batch.logits(intervention_of(made.maps, 0.0)).double()
    label = torch.tensor([rows()[place].label[0] for place in batch.rows])
    expected = -logits[:, 0].log_softmax(-1)[torch.arange(24), label].mean()
    assert made.log[0] == pytest.approx(expected.item(), rel=1e-4)


def test_a_first_step_is_that_of_adamw_without_decay():
    cell = view()
    start = recipe(cell).start(LAST, cell.generator_for(LAST)).free.detach()
    after = fitted(cell, epochs=1, batch=24, lr=0.01).maps[LAST].free.detach()
    moved = (after - start).abs()
    # Adam's first step has the size of the learning rate wherever there is a gradient.
    assert moved.max().item() == pytest.approx(0.01, rel=1e-3)
    assert (moved > 0.009).float().mean() > 0.9


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    first, again, other = (fitted(view(seed=seed)).maps[LAST].free for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_nothing_is_drawn_from_the_global_generator():
    before = torch.get_rng_state()
    fitted(view())
    assert torch.equal(before, torch.get_rng_state())


def test_progress_counts_rows_over_all_epochs():
    told = []
    cell = view()
    fit(cell, (LAST,), recipe(cell, epochs=2, batch=9), Clock(lambda done, total: told.append((done, total)), 48))
    assert told == [(done, 48) for done in (9, 18, 24, 33, 42, 48)]


def test_weights_scale_the_loss_of_their_rows():
    cell = view()

    def only_first(given):
        return [float(len(given)) if row is given[0] else 0.0 for row in given]

    weighted = fitted(cell, weights=only_first, epochs=1, batch=24, lr=1e-12)
    single = fitted(view(train=rows()[:1]), epochs=1, batch=1, lr=1e-12)
    assert weighted.log[0] == pytest.approx(single.log[0], rel=1e-4)


def test_cause_and_isolate_rows_count_the_same_in_all():
    weights = np.array(balanced(rows()))
    causes = np.array([row.cause for row in rows()])
    assert weights[causes].sum() == pytest.approx(12)
    assert weights[~causes].sum() == pytest.approx(12)
    assert len(set(weights[causes])) == len(set(weights[~causes])) == 1


@pytest.mark.parametrize("kind", [True, False])
def test_rows_of_one_kind_all_count_one(kind):
    assert set(balanced([row for row in rows() if row.cause == kind])) == {1.0}


def test_soft_gates_of_the_step_are_used_and_cool_down_and_every_step_is_settled():
    seen, settled = [], []

    class Watched:
        def __init__(self, mask):
            self.mask = mask

        def __getattr__(self, name):
            return getattr(self.mask, name)

        def edit(self, done):
            seen.append(done)
            return self.mask.edit(done)

        def settle(self):
            settled.append(len(seen))

    cell = view()
    features = Features((Operation("identity"),), 16)
    start = Recipe(lambda site, _: Watched(shut_mask(features, 0.0, model())), Training(2, 8, 1e-2))
    fit(cell, (LAST,), start, clock())
    assert seen == [place / 6 for place in range(6)]
    assert settled == [1, 2, 3, 4, 5, 6]


def test_a_backward_pass_is_counted_and_the_model_gets_no_gradient():
    with Meter() as meter:
        fitted(view(counter=meter))
    assert meter.cost().backward_passes > 0
    assert all(parameter.grad is None for parameter in model().hf.parameters())


def test_a_loss_that_is_no_number_is_told():
    class Broken:
        def groups(self):
            return [{"params": [self.tensor]}]

        tensor = torch.tensor(float("nan"), requires_grad=True)

        def edit(self, done):
            return lambda base, source: base * self.tensor

    with pytest.raises(MethodError, match=r"residual-post.L1@last came to a loss of nan"):
        fit(view(), (LAST,), Recipe(lambda site, _: Broken(), Training(1, 8, 1.0)), clock())


def test_an_intervention_has_one_edit_a_site():
    cell = view()
    (edit,) = intervention_of(fitted(cell).maps, 1.0)
    assert isinstance(edit, SiteEdit)
    assert edit.site == LAST
