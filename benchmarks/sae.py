"""What the core family of the SAE track costs, in plain forward passes of the same text.

    python benchmarks/sae.py [--repeats 5] [--contexts 4] [--json]

One thread, CPU seconds of this process, medians of the repeats, which are interleaved so that a machine that slows
down slows all rows. The unit is one plain forward pass of the same contexts of 128 random tokens, with logits at all
positions, as losses need them. Dictionaries have 2,048 random latents at the residual stream after layer 15 of 30. The
activation pass is what all dictionaries share; each further one adds its own encoding, decoding and sums. Losses are
cross-entropy and KL divergence of a reconstruction and of zero ablation beside the clean run, from there on; the usual
way is three whole passes, and both ways must agree on cross-entropies before they are timed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import click
import numpy as np
import torch
from costs import Tasks, Times, beside_targets, check, finish, in_units, measure, spread, table, unit_of
from inputs import MODEL, MODEL_NOTE, untrained_topk
from torch import Tensor

from mibench.artifacts.dictionaries.dictionary import Place
from mibench.core.hook_points import HookPoint
from mibench.engine.activations.capture import read
from mibench.engine.activations.splice import Splice
from mibench.engine.activations.store import BlockBatch
from mibench.engine.dictionaries.coder import Coder
from mibench.engine.model import LanguageModel
from mibench.models.anatomy import Block
from mibench.models.load import load_hf
from mibench.runner.cells.meter import Meter
from mibench.tracks.sae.core_sums import SubjectSums, TargetSums

LAYER, CONTEXT, WIDTH, K = 15, 128, 2048, 32
POINT = HookPoint(LAYER)
LOSSES = "losses: clean, reconstruction, zero"


@dataclass(frozen=True)
class Ground:
    """What is timed on: the model, contexts, and dictionaries."""

    model: LanguageModel
    ids: Tensor
    coders: tuple[Coder, ...]

    @classmethod
    def load(cls, contexts: int) -> Ground:
        """The model, random tokens, and three dictionaries."""
        hf = load_hf(MODEL)
        model = LanguageModel(hf.model)
        ids = torch.randint(0, hf.vocab_size, (contexts, CONTEXT), generator=torch.Generator().manual_seed(0))
        width = model.anatomy.d_model
        made = [untrained_topk(Place(MODEL, POINT), width, WIDTH, K, seed) for seed in range(3)]
        return cls(model, ids, tuple(Coder(one, device=model.device, dtype=model.dtype) for one in made))

    def plain(self) -> Tensor:
        """The unit."""
        with torch.no_grad():
            logits: Tensor = self.model.hf(input_ids=self.ids, use_cache=False).logits
        return logits

    def activations(self) -> Tensor:
        """Activations of all contexts, and nothing after them."""
        return read(self.model, self.ids, [POINT])[POINT]

    def scored(self, n_coders: int) -> list[SubjectSums]:
        """The activation pass with the sums of some dictionaries."""
        x = self.activations()
        scored = torch.ones(self.ids.shape, dtype=torch.bool)
        batch = BlockBatch(slice(0, len(x)), self.ids, scored, x, x)
        context, flat = scored.nonzero()[:, 0], x[scored]
        targets = TargetSums(scored.numpy(), np.arange(16), x.shape[-1], self.model.device)
        targets.add(batch, flat, context)
        sums = [SubjectSums(coder, len(x)) for coder in self.coders[:n_coders]]
        for one in sums:
            one.add(flat, flat, context)
        return sums

    def losses(self) -> list[Tensor]:
        """Cross-entropies of the clean run, of a reconstruction and of zero ablation, each position's."""
        splice = Splice(self.model, self.ids, POINT)
        with torch.no_grad():
            put = self.coders[0].reconstruct(splice.clean), torch.zeros_like(splice.clean)
        altered = splice.losses_of(put, torch.ones(self.ids.shape, dtype=torch.bool))
        return [splice.clean_ce, *(one.ce for one in altered)]

    def usual_losses(self) -> list[Tensor]:
        """The same from three whole passes."""
        block = self.model.hf.model.layers[LAYER]
        with torch.no_grad():
            found = [self._cross_entropy(self.plain())]
            for edit in (self.coders[0].reconstruct, torch.zeros_like):
                handle = block.register_forward_hook(lambda _, __, output, edit=edit: edit(output))
                try:
                    found.append(self._cross_entropy(self.plain()))
                finally:
                    handle.remove()
        return found

    @property
    def losses_target(self) -> float:
        """At most so many units: layers once and twice from the hook point on, the vocabulary matrix three times."""
        anatomy = self.model.anatomy
        vocabulary: int = self.model.hf.get_output_embeddings().weight.numel()
        layers = sum(parameter.numel() for block in anatomy.blocks for parameter in _weights(block))
        again = 1 - (LAYER + 1) / anatomy.n_layers
        return 1.15 * (layers * (1 + 2 * again) + 3 * vocabulary) / (layers + vocabulary) + 0.2

    def _cross_entropy(self, logits: Tensor) -> Tensor:
        return -logits[:, :-1].log_softmax(-1).gather(-1, self.ids[:, 1:, None])[..., 0]


def _weights(block: Block) -> list[Tensor]:
    return [*block.attn.parameters(), *block.mlp.parameters()]


def work(ground: Ground) -> Tasks:
    """What is timed, by name; the first is the unit."""
    return {
        "plain forward (the unit)": ground.plain,
        "activation pass": ground.activations,
        "activation pass, 1 dictionary": lambda: ground.scored(1),
        "activation pass, 3 dictionaries": lambda: ground.scored(3),
        LOSSES: ground.losses,
        "the same from three whole passes": ground.usual_losses,
    }


def agree(ground: Ground) -> None:
    """Refuse to time what is not the same."""
    for ours, usual in zip(ground.losses(), ground.usual_losses(), strict=True):
        check("losses", float((ours - usual).abs().max()))


def result_of(ground: Ground, times: Times, peak: int | None) -> dict[str, Any]:
    """Costs in units, beside targets."""
    ratios = in_units(times)
    shared = ratios["activation pass"][0] * unit_of(times)
    three, one = times["activation pass, 3 dictionaries"], times["activation pass, 1 dictionary"]
    further = "a further dictionary, in activation passes"
    ratios[further] = spread([(b - a) / 2 / shared for a, b in zip(one, three, strict=True)])
    about = {"model": MODEL_NOTE, "contexts": len(ground.ids), "tokens": ground.ids.numel()}
    return about | beside_targets(times, ratios, {further: 0.15, LOSSES: ground.losses_target}, peak)


@click.command()
@click.option("--repeats", default=5, show_default=True)
@click.option("--contexts", default=4, show_default=True, help="Contexts of 128 tokens.")
@click.option("--json", "as_json", is_flag=True)
def main(repeats: int, contexts: int, *, as_json: bool) -> None:
    """Print the cost of each piece of the core family; exit 1 where a target is missed."""
    torch.set_num_threads(1)
    with Meter() as meter:
        ground = Ground.load(contexts)
        agree(ground)
        times = measure(work(ground), repeats)
    result = result_of(ground, times, meter.cost().peak_bytes)
    finish(result, table(result, f"{len(ground.ids)} contexts, {ground.ids.numel()} tokens"), as_json=as_json)


if __name__ == "__main__":
    main()
