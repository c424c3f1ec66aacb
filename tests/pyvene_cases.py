"""Interchange interventions that mibench and pyvene must agree on, and pyvene's answers to them.

``python tests/pyvene_cases.py`` writes ``tests/golden/pyvene``; it needs pyvene (``pip install pyvene==0.1.8``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from golden_data import GOLDEN, golden_model

from mibench.core.sites import Component, Site

MODELS = ("tiny_gpt2", "tiny_llama")
FOLDER = GOLDEN / "pyvene"
N_ROWS, BASE_LENGTH, SOURCE_LENGTH = 6, 9, 11
PLACES = {
    "early": ((2,), (5,)),
    "last": ((8,), (10,)),
    "span": ((3, 4, 6), (0, 4, 9)),
    "every": (tuple(range(9)), tuple(range(2, 11))),
}
"""Token indices in the base and in the source, by name of the position: never the same ones."""
_NAMES = {
    Component.RESIDUAL_PRE: "block_input",
    Component.RESIDUAL_POST: "block_output",
    Component.MLP: "mlp_output",
    Component.HEAD: "head_attention_value_output",
}


@dataclass(frozen=True)
class Case:
    """One intervention: sites taken together, each swapped whole (0) or in a subspace of that dimension."""

    places: tuple[tuple[str, int], ...]

    @property
    def name(self) -> str:
        return " + ".join(f"{site} k={k}" if k else site for site, k in self.places)

    @property
    def sites(self) -> tuple[tuple[Site, int], ...]:
        return tuple((Site.parse(site), k) for site, k in self.places)


CASES = tuple(
    Case(tuple((site, int(k or 0)) for site, _, k in (part.partition(" k=") for part in text.split(" + "))))
    for text in (
        "residual-post.L0@early",
        "residual-post.L1@last",
        "residual-post.L0@span",
        "residual-post.L0@every",
        "residual-pre.L1@early",
        "mlp.L0@span",
        "head.L0.H1@early",
        "head.L1.H0@last",
        "head.L1.H3@every",
        "residual-post.L0@early k=5",
        "residual-post.L1@last k=1",
        "residual-post.L0@every k=12",
        "head.L0.H2@span k=3",
        "residual-post.L0@early + residual-post.L0@last",
        "residual-post.L0@span + residual-post.L1@last",
        "head.L0.H1@every + head.L0.H2@every",
        "head.L0.H3@every + head.L1.H1@every",
        "head.L0.H0@span + residual-post.L1@early",
        "residual-post.L0@early k=4 + residual-post.L1@last k=7",
    )
)


def prompts(model: str) -> tuple[np.ndarray, np.ndarray]:
    """Base ``[rows, 9]`` and source ``[rows, 11]`` ids."""
    rng = np.random.default_rng(MODELS.index(model))
    vocab = int(golden_model(model).config.vocab_size)
    return rng.integers(0, vocab, (N_ROWS, BASE_LENGTH)), rng.integers(0, vocab, (N_ROWS, SOURCE_LENGTH))


def rotation(site: Site, k: int, width: int) -> np.ndarray:
    """An orthonormal basis ``[width, k]``, another one for each site."""
    seed = list(site.name.encode())
    return np.asarray(np.linalg.qr(np.random.default_rng(seed).normal(size=(width, k)))[0])


@cache
def golden_logits(model: str) -> dict[str, np.ndarray]:
    """Pyvene's logits at the last token ``[rows, vocab]`` by case; ``plain`` without an intervention."""
    with np.load(FOLDER / f"{model}.npz") as stored:
        return {key: stored[key] for key in stored.files}


def pyvene_logits(hf: Any, case: Case, base: np.ndarray, source: np.ndarray) -> np.ndarray:
    """What pyvene gives at the last token, ``[rows, vocab]``."""
    import pyvene

    wrapped = pyvene.IntervenableModel(pyvene.IntervenableConfig([_part(site, k) for site, k in case.sites]), hf)
    for (site, k), part in zip(case.sites, wrapped.interventions.values(), strict=True):
        if k:
            part.double()
            # Else the tokens of a position are strung together into one long vector.
            part.keep_last_dim = True
            part.rotate_layer.weight = torch.from_numpy(rotation(site, k, part.rotate_layer.weight.shape[0]))
    spots = [[_spots(site, side) for site, _ in case.sites] for side in (1, 0)]
    with torch.no_grad():
        _, out = wrapped(
            {"input_ids": torch.from_numpy(base)},
            [{"input_ids": torch.from_numpy(source)}] * len(case.sites),
            {"sources->base": (spots[0], spots[1])},
        )
    return np.asarray(out.logits[:, -1].detach())


def _part(site: Site, k: int) -> dict[str, Any]:
    import pyvene

    kind = pyvene.LowRankRotatedSpaceIntervention if k else pyvene.VanillaIntervention
    unit = "pos" if site.head is None else "h.pos"
    part = {"layer": site.layer, "component": _NAMES[site.component], "unit": unit, "intervention_type": kind}
    return part | ({"low_rank_dimension": k} if k else {})


def _spots(site: Site, side: int) -> list[Any]:
    tokens = [list(PLACES[site.position][side])] * N_ROWS
    return tokens if site.head is None else [[[site.head]] * N_ROWS, tokens]


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in MODELS:
        hf, (base, source) = golden_model(name).eval(), prompts(name)
        with torch.no_grad():
            answers = {"plain": hf(torch.from_numpy(base)).logits[:, -1].numpy()}
        answers |= {case.name: pyvene_logits(golden_model(name).eval(), case, base, source) for case in CASES}
        np.savez_compressed(FOLDER / f"{name}.npz", **answers)


if __name__ == "__main__":
    main()
