"""What swapping a latent gains to first order, against small steps through a whole model."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from core_family import language_model
from dictionary_examples import example
from torch import Tensor

from mibench.core.sites import Site
from mibench.engine.dictionaries.coder import Coder
from mibench.engine.interchange.interchanges import Interchanges
from mibench.engine.interchange.options import InterchangeOptions, SiteEdit
from mibench.tasks.interchange import EncodedInterchange
from mibench.tasks.sae.causal import Ranking
from mibench.tracks.sae.causal_choice import moving
from mibench.tracks.sae.causal_ranking import Slopes, effects, ranked, slopes_of

SITE = Site(1, "here")
STEP = 1e-5


def row(place: int) -> EncodedInterchange:
    """Two tokens of a random prompt are swapped; half of the rows must change."""
    rng = np.random.default_rng(place)
    base, source = (tuple(int(token) for token in rng.integers(2, 40, size=6 + place % 2)) for _ in range(2))
    old, new = ((int(token),) for token in rng.integers(2, 40, size=2))
    cause = place % 2 == 0
    return EncodedInterchange(
        id=str(place),
        set="swap",
        base=base,
        source=source,
        base_positions={"here": (2, 4)},
        source_positions={"here": (1, 3)},
        accepted=(new if cause else old,),
        base_accepted=(old,),
        source_accepted=(new,),
        cause=cause,
    )


ROWS = tuple(row(place) for place in range(6))


@cache
def runs() -> Interchanges:
    return Interchanges(language_model(), ROWS, InterchangeOptions(keep_layers=(1,)))


@cache
def slopes(steps: int) -> Slopes:
    return slopes_of(runs(), ROWS, SITE, steps)


def coder() -> Coder:
    return Coder(example("relu", 16, 24), device=torch.device("cpu"), dtype=torch.float64)


def gained(alpha: float, latent: int, places: list[int]) -> float:
    """Slope of the label's log-probability while one latent goes from base to source, at a point between them."""
    used = coder()

    def edit(size: float) -> SiteEdit:
        def change(base: Tensor, source: Tensor) -> Tensor:
            difference = (used.encode(source) - used.encode(base))[..., latent, None] * used.decoder[latent]
            return base + alpha * (source - base) + size * difference

        return SiteEdit(SITE, change)

    ends = runs().run([(edit(STEP),), (edit(-STEP),)]).label_logprob[:, places].mean(1)
    return float(ends[0] - ends[1]) / (2 * STEP)


@pytest.mark.parametrize(("steps", "alphas"), [(1, (0.0,)), (3, (0.0, 0.5, 1.0))])
def test_effects_are_mean_slopes_between_base_and_source(steps: int, alphas: tuple[float, ...]) -> None:
    changed, kept = effects(coder(), slopes(steps))
    cause, isolate = ([place for place, one in enumerate(ROWS) if one.cause == kind] for kind in (True, False))
    for latent in (0, 5, 17):
        assert changed[latent].item() == pytest.approx(np.mean([gained(a, latent, cause) for a in alphas]), abs=1e-7)
        assert kept[latent].item() == pytest.approx(np.mean([gained(a, latent, isolate) for a in alphas]), abs=1e-7)


def test_many_steps_add_up_to_what_the_whole_swap_gains() -> None:
    """The path integral of gradients is the difference of its ends."""
    identity = Coder(example("identity", 16), device=torch.device("cpu"), dtype=torch.float64)
    changed, _ = effects(identity, slopes(101))
    cause = [place for place, one in enumerate(ROWS) if one.cause]
    ends = runs().run([(SiteEdit(SITE, lambda _, source: source),), ()]).label_logprob[:, cause].mean(1)
    assert changed.sum().item() == pytest.approx(float(ends[0] - ends[1]), abs=0.02)


def test_rankings_hold_latents_that_gain_the_best_first_and_each_choice_once() -> None:
    used, known = coder(), slopes(1)
    changed, kept = effects(used, known)
    found = list(ranked(used, known, Ranking(ks=(1, 3, 400), isolation=(0.0, 2.0), steps=1)))
    for candidate in found:
        weight = float(candidate.name.split("isolation ")[1].split(",")[0])
        score = changed + weight * kept
        assert (score[candidate.latents] > 0).all()
        rest = torch.ones(len(score), dtype=torch.bool)
        rest[candidate.latents] = False
        assert score[rest].max() <= score[candidate.latents].min()
        assert (score[candidate.latents].diff() <= 0).all()
    choices = [frozenset(candidate.latents.tolist()) for candidate in found]
    assert len(set(choices)) == len(choices)
    assert max(len(choice) for choice in choices) == max(int((changed + w * kept > 0).sum()) for w in (0.0, 2.0))


def test_moving_latents_are_those_that_differ_on_some_row() -> None:
    used, known = coder(), slopes(1)
    differs = (used.encode(known.base) - used.encode(known.source)).abs().sum((0, 1)) > 0
    assert moving(used, known).tolist() == differs.nonzero()[:, 0].tolist()
    assert 0 < differs.sum() <= 24
