"""What is minimised, against formulas written out in float64 over whole matrices."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from mibench.engine.activations.source import Activations
from mibench.methods.dictionaries.controller import Price
from mibench.methods.dictionaries.dead import Idle, auxiliary_loss
from mibench.methods.dictionaries.frozen import start_frozen
from mibench.methods.dictionaries.gated import Gated
from mibench.methods.dictionaries.jump_relu import JumpRelu
from mibench.methods.dictionaries.learner import Moment
from mibench.methods.dictionaries.recipe import Recipe
from mibench.methods.dictionaries.relu import Relu
from mibench.methods.dictionaries.thresholds import RunningThreshold
from mibench.methods.dictionaries.top_k import BatchTopK, Matryoshka, TopK
from mibench.methods.dictionaries.weights import Weights

TOKENS, D_IN, D_OUT, WIDTH, K = 7, 6, 6, 10, 3
LATE = Moment(50, Recipe(WIDTH, 100, TOKENS, 1e-3))
LAMBDA = 0.3


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def weights():
    rows = drawn(WIDTH, D_OUT, seed=1)
    rows = rows / rows.norm(dim=1, keepdim=True)
    made = Weights(drawn(WIDTH, D_IN, seed=2), drawn(WIDTH, seed=3) / 5, rows, drawn(D_OUT, seed=4), pre_bias=True)
    for one in made.named.values():
        one.requires_grad_()
    return made


def batch():
    return Activations(drawn(TOKENS, D_IN, seed=5), drawn(TOKENS, D_OUT, seed=6))


def fixed_price():
    return Price.at(LAMBDA, None, torch.device("cpu"))


def arrays(made):
    return {name: one.detach().numpy() for name, one in made.named.items()}


def preactivations(made, x):
    w = arrays(made)
    return (x.numpy() - w["b_dec"]) @ w["w_enc"].T + w["b_enc"]


def kept(values, k):
    """The k largest of each row, others 0."""
    return values * (values >= np.sort(values, axis=1)[:, [-k]])


def squared(made, latents, y):
    w = arrays(made)
    return np.square(y.numpy() - latents @ w["w_dec"] - w["b_dec"]).sum(1).mean()


def relu(values):
    return np.maximum(values, 0)


def top_k_learner():
    made = weights()
    return TopK(made, Idle.of(made), K)


def batch_top_k_learner(**more):
    plain = top_k_learner()
    kind = Matryoshka if more else BatchTopK
    return kind(plain.weights, plain.idle, K, RunningThreshold.over(100, torch.device("cpu")), **more)


def test_top_k_is_the_squared_error_of_the_k_largest():
    learner, data = top_k_learner(), batch()
    found = learner.step(data, LATE)
    latents = relu(kept(preactivations(learner.weights, data.inputs), K))
    assert found.loss.item() == pytest.approx(squared(learner.weights, latents, data.targets), rel=1e-12)
    assert found.l0 == pytest.approx((latents > 0).sum(1).mean())


def test_top_k_adds_a_32nd_of_the_error_of_dead_latents_on_the_residual():
    learner, data = top_k_learner(), batch()
    dead = [1, 4, 6, 7, 8]
    learner.idle.tokens[dead] = 10**6
    found = learner.step(data, LATE)
    before = preactivations(learner.weights, data.inputs)
    latents = relu(kept(before, K))
    dead = [one for one in dead if not latents[:, one].any()]
    assert len(dead) > 1
    w = arrays(learner.weights)
    residual = data.targets.numpy() - latents @ w["w_dec"] - w["b_dec"]
    some = relu(kept(before[:, dead], min(D_IN // 2, len(dead))))
    auxiliary = np.square(residual - some @ w["w_dec"][dead]).sum(1).mean()
    wanted = squared(learner.weights, latents, data.targets) + auxiliary / 32
    assert found.loss.item() == pytest.approx(wanted, rel=1e-12)


def test_dead_latents_get_gradients_from_the_auxiliary_loss_and_the_bias_of_the_decoder_none():
    made, data = weights(), batch()
    auxiliary_loss(made, data.inputs, data.targets, torch.tensor([0, 9])).backward()
    assert made.b_dec.grad is None
    assert made.w_enc.grad[[0, 9]].abs().sum(1).min() > 0
    assert made.w_enc.grad[1:9].abs().max() == 0


def test_batch_top_k_is_the_squared_error_of_the_largest_of_the_batch():
    learner, data = batch_top_k_learner(), batch()
    found = learner.step(data, LATE)
    before = preactivations(learner.weights, data.inputs)
    bound = np.sort(before.flatten())[-K * TOKENS]
    latents = relu(before * (before >= bound))
    assert found.loss.item() == pytest.approx(squared(learner.weights, latents, data.targets), rel=1e-12)
    assert learner.threshold.value.item() == pytest.approx(max(bound, latents[latents > 0].min()))


def test_matryoshka_is_the_mean_over_prefixes():
    groups = (2, 3, 5)
    learner, data = batch_top_k_learner(groups=groups), batch()
    found = learner.step(data, LATE)
    before = preactivations(learner.weights, data.inputs)
    latents = relu(before * (before >= np.sort(before.flatten())[-K * TOKENS]))
    errors = []
    for end in np.cumsum(groups):
        prefix = latents.copy()
        prefix[:, end:] = 0
        errors.append(squared(learner.weights, prefix, data.targets))
    assert found.loss.item() == pytest.approx(np.mean(errors), rel=1e-12)


def test_relu_adds_the_sum_of_latents_at_its_price():
    learner, data = Relu(weights(), fixed_price()), batch()
    latents = relu(preactivations(learner.weights, data.inputs))
    wanted = squared(learner.weights, latents, data.targets) + LAMBDA * latents.sum(1).mean()
    assert learner.step(data, LATE).loss.item() == pytest.approx(wanted, rel=1e-12)


def test_the_price_of_sparsity_rises_over_the_first_twentieth():
    learner, data = Relu(weights(), fixed_price()), batch()
    latents = relu(preactivations(learner.weights, data.inputs))
    first = learner.step(data, dataclasses.replace(LATE, step=0)).loss.item()
    assert LATE.recipe.steps == 100
    wanted = squared(learner.weights, latents, data.targets) + LAMBDA / 5 * latents.sum(1).mean()
    assert first == pytest.approx(wanted, rel=1e-12)


def test_jump_relu_adds_the_number_of_latents_at_its_price():
    theta = drawn(WIDTH, seed=8).abs() + 0.1
    learner, data = JumpRelu(weights(), theta.log().requires_grad_(), 0.5, fixed_price()), batch()
    found = learner.step(data, LATE)
    before = preactivations(learner.weights, data.inputs)
    latents = before * (before > theta.numpy())
    l0 = (latents > 0).sum(1).mean()
    wanted = squared(learner.weights, latents, data.targets) + LAMBDA * l0
    assert found.loss.item() == pytest.approx(wanted, rel=1e-12)
    assert found.l0 == pytest.approx(l0)


def test_the_gradient_of_jump_relus_threshold_is_the_published_one():
    """∂/∂θ = −(1 / ε) Σ K((p − θ) / ε) (θ ∂L/∂f + λ), then times θ for log θ; averaged over tokens."""
    theta, width = drawn(WIDTH, seed=8).abs() + 0.1, 0.5
    learner, data = JumpRelu(weights(), theta.log().requires_grad_(), width, fixed_price()), batch()
    learner.step(data, LATE).loss.backward()
    w, t = arrays(learner.weights), theta.numpy()
    before = preactivations(learner.weights, data.inputs)
    residual = data.targets.numpy() - (before * (before > t)) @ w["w_dec"] - w["b_dec"]
    by_latent = -2 * residual @ w["w_dec"].T / TOKENS
    near = np.abs((before - t) / width) < 0.5
    wanted = t * (-(t * by_latent + LAMBDA / TOKENS) * near / width).sum(0)
    np.testing.assert_allclose(learner.log_threshold.grad.numpy(), wanted, rtol=1e-9, atol=1e-12)


def gated_learner():
    more = (drawn(WIDTH, seed=9) / 3, drawn(WIDTH, seed=10) / 3)
    return Gated(weights(), *(one.requires_grad_() for one in more), fixed_price())


def test_gated_adds_the_gates_at_their_price_and_what_they_reconstruct():
    learner, data = gated_learner(), batch()
    w = arrays(learner.weights)
    gates = preactivations(learner.weights, data.inputs)
    pi = gates - w["b_enc"]
    latents = (gates > 0) * relu(np.exp(learner.r_mag.detach().numpy()) * pi + learner.b_mag.detach().numpy())
    wanted = squared(learner.weights, latents, data.targets) + squared(learner.weights, relu(gates), data.targets)
    wanted += LAMBDA * relu(gates).sum(1).mean()
    found = learner.step(data, LATE)
    assert found.loss.item() == pytest.approx(wanted, rel=1e-12)
    assert found.l0 == pytest.approx((latents > 0).sum(1).mean())


def test_gradients_of_a_gated_dictionary_are_those_of_whole_matrices():
    mine, naive, data = gated_learner(), gated_learner(), batch()
    mine.step(data, LATE).loss.backward()
    w, y = naive.weights, data.targets
    pi = (data.inputs - w.b_dec) @ w.w_enc.T
    gates = (pi + w.b_enc).relu()
    latents = (gates > 0) * (naive.r_mag.exp() * pi + naive.b_mag).relu()
    via = gates @ w.w_dec.detach() + w.b_dec.detach()
    loss = (y - latents @ w.w_dec - w.b_dec).square().sum(1) + (y - via).square().sum(1) + LAMBDA * gates.sum(1)
    loss.mean().backward()
    for name, tensor in mine.learnable.items():
        torch.testing.assert_close(tensor.grad, naive.learnable[name].grad, msg=name)


def test_gradients_of_top_k_are_those_of_whole_matrices():
    mine, naive, data = top_k_learner(), top_k_learner(), batch()
    mine.step(data, LATE).loss.backward()
    w = naive.weights
    before = (data.inputs - w.b_dec) @ w.w_enc.T + w.b_enc
    latents = (before * (before >= before.topk(K, dim=1).values[:, -1:])).relu()
    (data.targets - latents @ w.w_dec - w.b_dec).square().sum(1).mean().backward()
    for name, tensor in mine.learnable.items():
        torch.testing.assert_close(tensor.grad, naive.learnable[name].grad, msg=name)


def test_a_latent_is_dead_after_a_32nd_of_the_training_without_firing():
    idle = Idle.of(weights())
    for _ in range(4):
        idle.saw(torch.tensor([0, 0, 2]), 25)
    idle.saw(torch.tensor([1]), 25)
    assert idle.tokens.tolist()[:4] == [25, 0, 25, 125]
    assert idle.dead(125).tolist() == list(range(3, WIDTH))
    assert Recipe(WIDTH, 6400, 10, 1e-3).dead_after == 2000


def test_the_threshold_is_a_running_mean_of_the_smallest_kept_latent():
    threshold = RunningThreshold.over(40, torch.device("cpu"))
    assert threshold.bound.item() == 0
    for smallest in (1.0, 3.0, 5.0):
        threshold.saw(torch.tensor([9.0, smallest, 0.0]))
    threshold.saw(torch.zeros(3))
    assert threshold.bound.item() == pytest.approx(3.5)  # 1, then (1 + 3) / 2, then (2 + 5) / 2


def test_the_decoders_gradient_is_across_its_rows_and_rows_keep_norm_1():
    made = weights()
    (made.w_dec * drawn(WIDTH, D_OUT)).sum().backward()
    made.drop_radial()
    assert (made.w_dec.grad * made.w_dec).sum(1).abs().max() < 1e-12
    with torch.no_grad():
        made.w_dec.mul_(3)
    made.normalise()
    torch.testing.assert_close(made.w_dec.norm(dim=1), torch.ones(WIDTH, dtype=torch.float64))


@pytest.mark.parametrize("least", [0.5, 0.8, 0.99])
def test_soft_frozen_rows_stay_on_the_cone_around_where_they_started(least):
    learner = start_frozen(top_k_learner(), least)
    with torch.no_grad():
        learner.weights.w_dec.add_(drawn(WIDTH, D_OUT, seed=11))
    moved = learner.weights.w_dec / learner.weights.w_dec.norm(dim=1, keepdim=True)
    cosines = (moved * learner.anchor).sum(1)
    learner.settle()
    found = (learner.weights.w_dec * learner.anchor).sum(1)
    torch.testing.assert_close(found, cosines.clamp_min(least).detach(), check_dtype=False)
    torch.testing.assert_close(learner.weights.w_dec.norm(dim=1), torch.ones(WIDTH, dtype=torch.float64))
