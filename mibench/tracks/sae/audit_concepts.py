"""What an audit can be made of: probing, TPP and SCR, on concepts whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mibench.metrics.faithfulness import BoolArray, FloatArray
from mibench.metrics.sae.ablated_probes import Concept, Pooled, make_concept
from mibench.metrics.sae.adamw_probe import AdamWRecipe, train_probe
from mibench.metrics.sae.scr import Pair, scr, scr_metrics
from mibench.metrics.sae.sparse_probe import ProbeRule, Split, sparse_probes
from mibench.metrics.sae.tpp import tpp, tpp_metrics
from mibench.tasks.synthetic.concepts import (
    KnownConcept,
    even_rows,
    probing_concepts,
    sibling_groups,
    spurious_pairs,
)
from mibench.tasks.synthetic.truth import Truth
from mibench.tracks.sae.audit import Numbers
from mibench.tracks.sae.candidate import Candidate
from mibench.tracks.sae.known_samples import drawn
from mibench.tracks.sae.synthetic_source import TEST

KINDS = ("single", "and", "or")


@dataclass(frozen=True)
class ConceptSizes:
    """How much is drawn.

    Attributes:
        samples: Samples of each scoring.
        rows: Rows of a concept with it, and as many without it, at most.
        concepts: Concepts of each kind; groups of siblings; spurious pairs.
        steps: Updates of a probe of TPP and SCR.
        ablated: Latents that TPP and SCR ablate.
    """

    samples: int = 12_000
    rows: int = 300
    concepts: int = 6
    steps: int = 800
    ablated: tuple[int, ...] = (2, 10)


class ConceptMeasure:
    """Accuracy of probes on one latent, TPP on groups of siblings, SCR on pairs of features of different trees.

    Attributes:
        better: By name, whether higher is better.

    Args:
        truth: The features.
        sizes: How much is drawn.
    """

    def __init__(self, truth: Truth, sizes: ConceptSizes) -> None:
        self._truth, self._sizes = truth, sizes
        self._seeds: dict[int, _Texts] = {}
        names = [f"tpp_threshold_{n}_total_metric" for n in sizes.ablated]
        names += [f"scr_{which}_threshold_{n}" for n in sizes.ablated for which in ("dir1", "dir2")]
        self.better: Mapping[str, bool | None] = dict.fromkeys(
            [*(f"probing_{kind}_k1" for kind in KINDS), *names], True
        )

    def __call__(self, candidate: Candidate, seed: int) -> Numbers:
        """Code the samples and run all three."""
        if seed not in self._seeds:
            self._seeds[seed] = _Texts(self._truth, self._sizes, seed)
        texts = self._seeds[seed]
        latents, _ = candidate.codes(texts.x)
        pooled = Pooled(texts.x, latents, candidate.rows)
        found: dict[str, float | None] = {
            f"probing_{kind}_k1": float(np.mean([_accuracy(latents, one) for one in texts.probed[kind]]))
            for kind in KINDS
        }
        ns, width = self._sizes.ablated, len(candidate.rows)
        parts = [tpp(pooled, group, ns).assign(set=str(index)) for index, group in enumerate(texts.groups)]
        metrics = tpp_metrics(_joined(parts), ns, width)
        metrics |= scr_metrics(scr(pooled, texts.pairs, ns).assign(set="pairs"), ns, width)
        return found | {name: metrics[name].value for name in self.better if name in metrics}


class _Texts:
    """Samples of one seed, with labels and with the probes of TPP and SCR."""

    def __init__(self, truth: Truth, sizes: ConceptSizes, seed: int) -> None:
        batches = drawn(truth, sizes.samples, (TEST, seed))
        self.x: NDArray[np.float32] = np.concatenate([one.x for one in batches])
        self._fired: BoolArray = np.concatenate([one.codes.toarray() > 0 for one in batches])
        self._truth, self._sizes = truth, sizes
        self._recipe = AdamWRecipe(steps=sizes.steps, seed=seed)

    @cached_property
    def probed(self) -> dict[str, list[Split]]:
        """Rows of each concept, by kind."""
        concepts = probing_concepts(self._truth, self._sizes.concepts)
        return {kind: [self._split(one) for one in concepts if one.kind == kind] for kind in KINDS}

    @cached_property
    def groups(self) -> list[list[Concept]]:
        """Siblings against each other."""
        return [
            [self._sibling(one, group) for one in group]
            for group in sibling_groups(self._truth)[: self._sizes.concepts]
        ]

    @cached_property
    def pairs(self) -> list[Pair]:
        """Features of different trees, with a probe trained where they coincide."""
        return [self._pair(*pair) for pair in spurious_pairs(self._truth, self._sizes.concepts)]

    def _split(self, concept: KnownConcept) -> Split:
        labels = concept.labels(self._fired)
        rows = even_rows([labels, ~labels], self._sizes.rows)
        return Split(rows[::2], rows[1::4], rows[3::4], labels)

    def _sibling(self, one: int, group: tuple[int, ...]) -> Concept:
        own, other = self._fired[:, one], np.asarray(self._fired[:, [k for k in group if k != one]].any(axis=1))
        rows = even_rows([own, other], self._sizes.rows)
        return make_concept(str(one), self.x, own, (rows[::2], rows[1::2]), self._recipe)

    def _pair(self, target: int, spurious: int) -> Pair:
        wanted, other = self._fired[:, target], self._fired[:, spurious]
        cells = [wanted & other, wanted & ~other, ~wanted & other, ~wanted & ~other]
        rows = even_rows(cells, self._sizes.rows)
        train, test = rows[::2], rows[1::2]
        coincide = train[wanted[train] == other[train]]
        return Pair(
            f"{target}/{spurious}",
            make_concept(str(target), self.x, wanted, (train, test), self._recipe),
            make_concept(str(spurious), self.x, other, (train, test), self._recipe),
            train_probe(self.x[coincide], wanted[coincide], self._recipe),
        )


def _accuracy(latents: FloatArray, split: Split) -> float:
    probe = sparse_probes(latents, split, (1,), ProbeRule())[1]
    return float(np.mean((probe.scores(latents[split.scored]) > 0) == split.labels[split.scored]))


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)
