"""What the causal-variable track costs, in plain forward passes of the same base prompts, and next to plain hooks.

    python benchmarks/variable.py [--repeats 5] [--json]

One thread, CPU seconds of this process, medians of the repeats, which are interleaved so that a machine that slows
down slows all rows. The unit is one plain forward pass of the base prompts (last-position logits, no cache). The
prompts are the first 20 of the shipped IOI test split that have one length in tokens. A sweep swaps the residual
stream after every layer at each of the last five tokens, one site at a time, runs of bases and sources included. The
usual way is a hook and a whole pass a site, with the source's activations at hand: only ``N_HOOKED`` sites are
timed so, and the sweep's cost is extrapolated from them; both ways must agree on them before they are timed. A step
trains a 64-dimensional rotation at one site: logits, loss, gradient, Adam; the bases were run and kept before.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import click
import numpy as np
import torch
from costs import Tasks, Times, beside_targets, check, finish, in_units, measure, table
from inputs import MODEL, MODEL_NOTE, interchanges_of, prompts_of_one_length
from torch import Tensor

from mibench.core.sites import Site
from mibench.engine.interchange.interchanges import Interchanges
from mibench.engine.interchange.options import Intervention, SiteEdit
from mibench.engine.model import LanguageModel
from mibench.models.load import load_hf
from mibench.runner.cells.meter import Meter
from mibench.tasks.interchange import EncodedInterchange

N_POSITIONS = 5
N_HOOKED = 3
K = 64
STEPS = ((5, 5), (15, 5), (15, 1), (25, 1))
"""Where steps are timed: layer, and tokens from the site's on."""


def swapped(_: Tensor, source: Tensor) -> Tensor:
    """The full swap."""
    return source


@dataclass(frozen=True)
class Ground:
    """What is timed on: the model, and rows of one length with positions counted from the end."""

    model: LanguageModel
    rows: list[EncodedInterchange]

    @classmethod
    def load(cls) -> Ground:
        """The model, and the first prompts of the commonest length."""
        hf = load_hf(MODEL)
        pairs = prompts_of_one_length(hf)
        positions = {str(back): (pairs[0].length - back,) for back in range(1, N_POSITIONS + 1)}
        return cls(LanguageModel(hf.model), interchanges_of(pairs, positions))

    @property
    def length(self) -> int:
        """Tokens of a prompt."""
        return len(self.rows[0].base)

    @property
    def ids(self) -> Tensor:
        """The base prompts."""
        return torch.tensor([row.base for row in self.rows])

    @property
    def sweep(self) -> list[Intervention]:
        """One swap a site."""
        return [
            (SiteEdit(Site(layer, str(back)), swapped),)
            for back in range(1, N_POSITIONS + 1)
            for layer in range(self.model.anatomy.n_layers)
        ]

    def plain(self) -> Tensor:
        """The unit."""
        with torch.no_grad():
            logits: Tensor = self.model.hf(input_ids=self.ids, use_cache=False, logits_to_keep=1).logits[:, -1]
        return logits

    def hooked(self, site: Site, edit: Callable[[Tensor], Tensor]) -> Tensor:
        """The unit under a hook at one site."""
        token = self.rows[0].base_positions[site.position][0]

        def hook(_: object, __: object, output: Tensor) -> Tensor:
            changed = output.clone()
            changed[:, token] = edit(output[:, token])
            return changed

        handle = self.model.hf.model.layers[site.layer].register_forward_hook(hook)
        try:
            logits: Tensor = self.model.hf(input_ids=self.ids, use_cache=False, logits_to_keep=1).logits[:, -1]
        finally:
            handle.remove()
        return logits

    @property
    def sweep_target(self) -> float:
        """At most so many units for the sweep: its layers and tokens, and the runs of bases and sources."""
        tokens = sum(range(1, N_POSITIONS + 1)) / self.length
        return 1.15 * (self.model.anatomy.n_layers + 1) / 2 * tokens + 2

    def target(self, layer: int, back: int) -> float:
        """At most so many units for a step."""
        return 2.6 * (1 - layer / self.model.anatomy.n_layers) * back / self.length + 0.15


class Step:
    """Steps of training a rotation at one site, ours or with a hook."""

    def __init__(self, ground: Ground, site: Site) -> None:
        self._ground, self._site = ground, site
        runs = Interchanges(ground.model, ground.rows)
        (self._batch,) = runs.minibatches(len(ground.rows), torch.Generator().manual_seed(0))
        self._sources = runs.sources([site])[site][:, 0]
        width, generator = ground.model.anatomy.d_model, torch.Generator().manual_seed(0)
        self._weight = torch.randn(width, K, generator=generator).requires_grad_()
        self._adam = torch.optim.Adam([self._weight], lr=1e-3)
        self._labels = torch.tensor([row.label[0] for row in ground.rows])

    def ours(self) -> Tensor:
        """One step."""
        logits = self._batch.logits((SiteEdit(self._site, self._edit),))[:, 0]
        return self._update(logits, self._labels[self._batch.rows])

    def hooked(self) -> Tensor:
        """One step the usual way."""
        logits = self._ground.hooked(self._site, lambda base: self._edit(base, self._sources))
        return self._update(logits, self._labels)

    def _edit(self, base: Tensor, source: Tensor) -> Tensor:
        rotation: Tensor = torch.linalg.qr(self._weight)[0]
        return base + (source - base) @ rotation @ rotation.T

    def _update(self, logits: Tensor, labels: Tensor) -> Tensor:
        loss = torch.nn.functional.cross_entropy(logits, labels)
        self._adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._adam.step()
        return loss.detach()


def work(ground: Ground) -> Tasks:
    """What is timed, by name; the first is the unit."""
    layers, model, rows = ground.model.anatomy.n_layers, ground.model, ground.rows
    sweep = ground.sweep
    found: Tasks = {
        "plain forward (the unit)": ground.plain,
        "bases, no intervention": lambda: Interchanges(model, rows).plain(),
        f"sweep of {len(sweep)} sites": lambda: Interchanges(model, rows).run(sweep),
        f"column of {layers} sites, last token": lambda: Interchanges(model, rows).run(sweep[:layers]),
        f"{N_HOOKED} sites with hooks": partial(with_hooks, ground, chosen(sweep)),
    }
    for layer, back in STEPS:
        step = Step(ground, Site(layer, str(back)))
        # Each starts from the same weights; ours comes first, and both losses are those before the update.
        found[name_of(ground, layer, back)] = step.ours
        if (layer, back) == STEPS[0]:
            check("losses", abs(float(Step(ground, Site(layer, str(back))).hooked() - step.ours())))
            found["the same step with a hook"] = Step(ground, Site(layer, str(back))).hooked
    return found


def name_of(ground: Ground, layer: int, back: int) -> str:
    """Of a step."""
    return f"step at layer {layer}, token {ground.length - back} of {ground.length}"


def chosen(sweep: list[Intervention]) -> list[Intervention]:
    """Sites for the usual way, spread over the sweep."""
    return [sweep[(2 * place + 1) * len(sweep) // (2 * N_HOOKED)] for place in range(N_HOOKED)]


def with_hooks(ground: Ground, interventions: list[Intervention]) -> list[Tensor]:
    """Logits under each intervention, a whole pass each; sources are read beforehand, once."""
    sources = _sources(ground)
    with torch.no_grad():
        return [ground.hooked(one[0].site, partial(swapped, source=sources[one[0].site])) for one in interventions]


_READ: dict[Site, Tensor] = {}


def _sources(ground: Ground) -> dict[Site, Tensor]:
    if not _READ:
        sites = [one[0].site for one in ground.sweep]
        _READ.update(
            {site: part[:, 0] for site, part in Interchanges(ground.model, ground.rows).sources(sites).items()}
        )
    return _READ


def agree(ground: Ground) -> None:
    """Refuse to time what is not the same."""
    some = chosen(ground.sweep)
    ours = Interchanges(ground.model, ground.rows).run(some).label_logprob
    labels = [row.label[0] for row in ground.rows]
    usual = [logits.log_softmax(-1)[torch.arange(len(labels)), labels].numpy() for logits in with_hooks(ground, some)]
    check("label log-probabilities", float(np.abs(ours - np.stack(usual)).max()))


def result_of(ground: Ground, times: Times, peak: int | None) -> dict[str, Any]:
    """Costs in units, beside targets."""
    ratios, n_sites = in_units(times), len(ground.sweep)
    ratios[f"usual sweep, extrapolated from {N_HOOKED} sites"] = [
        each * n_sites / N_HOOKED for each in ratios[f"{N_HOOKED} sites with hooks"]
    ]
    targets = {f"sweep of {n_sites} sites": ground.sweep_target} | {
        name_of(ground, layer, back): ground.target(layer, back) for layer, back in STEPS
    }
    about = {"model": MODEL_NOTE, "prompts": len(ground.rows), "tokens": ground.length}
    return about | beside_targets(times, ratios, targets, peak)


@click.command()
@click.option("--repeats", default=5, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(repeats: int, *, as_json: bool) -> None:
    """Print the cost of each piece of the causal-variable track; exit 1 where a target is missed."""
    torch.set_num_threads(1)
    with Meter() as meter:
        ground = Ground.load()
        agree(ground)
        times = measure(work(ground), repeats)
    result = result_of(ground, times, meter.cost().peak_bytes)
    finish(result, table(result, f"{len(ground.rows)} IOI prompts of {ground.length} tokens"), as_json=as_json)


if __name__ == "__main__":
    main()
