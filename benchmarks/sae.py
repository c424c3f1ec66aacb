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

import json
import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass

os.environ["OMP_NUM_THREADS"] = "1"

import click
import numpy as np
import torch
from circuit import check, measure
from torch import Tensor

from mibench.artifacts.dictionaries.dictionary import Dictionary, Place, Rule
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
        hf = load_hf("smollm2-135m")
        model = LanguageModel(hf.model)
        ids = torch.randint(0, hf.vocab_size, (contexts, CONTEXT), generator=torch.Generator().manual_seed(0))
        coders = tuple(Coder(random_dictionary(seed), device=model.device, dtype=model.dtype) for seed in range(3))
        return cls(model, ids, coders)

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
        vocabulary = self.model.hf.get_output_embeddings().weight.numel()
        layers = sum(parameter.numel() for block in anatomy.blocks for parameter in _weights(block))
        again = 1 - (LAYER + 1) / anatomy.n_layers
        return 1.15 * (layers * (1 + 2 * again) + 3 * vocabulary) / (layers + vocabulary) + 0.2

    def _cross_entropy(self, logits: Tensor) -> Tensor:
        return -logits[:, :-1].log_softmax(-1).gather(-1, self.ids[:, 1:, None])[..., 0]


def _weights(block: Block) -> list[Tensor]:
    return [*block.attn.parameters(), *block.mlp.parameters()]


def random_dictionary(seed: int) -> Dictionary:
    """A TopK dictionary that was not trained."""
    rng, d_model = np.random.default_rng(seed), 576
    w_dec = rng.normal(size=(WIDTH, d_model)).astype(np.float32)
    tensors = {
        "w_enc": np.ascontiguousarray(w_dec.T),
        "w_dec": w_dec,
        "b_enc": np.zeros(WIDTH, np.float32),
        "b_dec": np.zeros(d_model, np.float32),
    }
    return Dictionary(Place("smollm2-135m", POINT), "topk", Rule("topk", pre_bias=True, k=K), tensors)


def work(ground: Ground) -> dict[str, Callable[[], object]]:
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


def result_of(ground: Ground, times: dict[str, list[float]], peak: int) -> dict:
    """Costs in units, beside targets."""
    unit = statistics.median(next(iter(times.values())))
    ratios = {name: [f(each) / unit for f in (statistics.median, min, max)] for name, each in times.items()}
    shared = ratios["activation pass"][0]
    three, one = times["activation pass, 3 dictionaries"], times["activation pass, 1 dictionary"]
    each = [(b - a) / 2 / unit / shared for a, b in zip(one, three, strict=True)]
    further = "a further dictionary, in activation passes"
    ratios[further] = [statistics.median(each), min(each), max(each)]
    targets = {further: 0.15, LOSSES: ground.losses_target}
    return {
        "model": "smollm2-135m (dequantised from GGUF Q4_1), float32",
        "contexts": len(ground.ids),
        "tokens": ground.ids.numel(),
        "repeats": len(three),
        "unit_cpu_seconds": unit,
        "peak_gib": peak / 2**30,
        "ratios": ratios,
        "targets": targets,
        "missed": [name for name, target in targets.items() if ratios[name][0] > target],
    }


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
    result = result_of(ground, times, meter.cost().peak_bytes or 0)
    click.echo(json.dumps(result, indent=2) if as_json else table(result))
    raise SystemExit(1 if result["missed"] else 0)


def table(result: dict) -> str:
    """The result as text."""
    unit, peak = f"{result['unit_cpu_seconds']:.3f} s", f"{result['peak_gib']:.2f} GiB"
    lines = [
        f"{result['model']}; {result['contexts']} contexts, {result['tokens']} tokens",
        f"one thread, CPU time, medians of {result['repeats']} (range); unit {unit}; peak memory {peak}",
    ]
    for name, (median, low, high) in result["ratios"].items():
        target = f"   target {result['targets'][name]:5.2f}" if name in result["targets"] else ""
        lines.append(f"{name:45s} {median:7.2f}   ({low:.2f} to {high:.2f}){target}")
    return "\n".join([*lines, f"Missed: {', '.join(result['missed']) or 'none'}"])


if __name__ == "__main__":
    main()
