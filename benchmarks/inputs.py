"""What several scripts give to the engine: prompts, rows of interchanges, circuits and dictionaries."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping

import numpy as np

from mibench.artifacts.dictionaries.dictionary import Dictionary, Place, Rule
from mibench.graph.circuit import Circuit, prune
from mibench.graph.graph import Graph
from mibench.models.load import HFModel
from mibench.tasks.encode import EncodedPair, encode
from mibench.tasks.interchange import EncodedInterchange
from mibench.tasks.load import load_task

MODEL = "smollm2-135m"
MODEL_NOTE = f"{MODEL} (dequantised from GGUF Q4_1), float32"
N_PROMPTS = 20
LEFT_5 = tuple(step / 5 for step in range(5))
"""Points of EAP-IG with 5 steps, by the left rule."""


def prompts_of_one_length(hf: HFModel, length: int | None = None) -> list[EncodedPair]:
    """The first pairs of the shipped IOI test split that have one length in tokens (the commonest by default)."""
    pairs = encode(load_task("ioi").pairs("test"), hf.tokenizer, hf.vocab_size)
    length = length or statistics.mode(pair.length for pair in pairs)
    return [pair for pair in pairs if pair.length == length][:N_PROMPTS]


def interchanges_of(pairs: Iterable[EncodedPair], positions: Mapping[str, tuple[int, ...]]) -> list[EncodedInterchange]:
    """Pairs as bases and sources; the interchange makes the counterfactual's answer right.

    Args:
        pairs: Of one length.
        positions: Tokens by name, the same in bases and sources.
    """
    return [
        EncodedInterchange(
            id=pair.id,
            set="all",
            base=pair.clean,
            source=pair.counterfactual,
            base_positions=positions,
            source_positions=positions,
            accepted=((pair.incorrect[0],),),
            base_accepted=((pair.correct[0],),),
            source_accepted=(),
            cause=True,
        )
        for pair in pairs
    ]


def random_circuit(graph: Graph, share: float, seed: int = 0) -> Circuit:
    """A circuit of a random share of the edges."""
    chances = np.random.default_rng(seed).random(graph.shape)
    return prune(graph, (chances < share) & graph.real_mask)


def untrained_topk(place: Place, d_model: int, width: int, k: int, seed: int = 0) -> Dictionary:
    """A TopK dictionary of ``width`` random latents."""
    w_dec = np.random.default_rng(seed).standard_normal((width, d_model), dtype=np.float32)
    tensors = {
        "w_enc": np.ascontiguousarray(w_dec.T),
        "w_dec": w_dec,
        "b_enc": np.zeros(width, np.float32),
        "b_dec": np.zeros(d_model, np.float32),
    }
    return Dictionary(place, "topk", Rule("topk", pre_bias=True, k=k), tensors)
