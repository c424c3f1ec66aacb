"""From a program to the matrices of a transformer, the same in every architecture but for positions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mibench.planted.attention import HEAD_DIM, N_HEADS, Positions, head_matrices
from mibench.planted.distractors import distractors
from mibench.planted.draws import Draws
from mibench.planted.features import BALLAST, D_MODEL, ROOT, Features, FloatArray, place_features
from mibench.planted.levels import Level
from mibench.planted.logic import ONE, Logic

D_MLP = 64
NORM = BALLAST / ROOT
"""Weight of every norm layer: it then leaves the stream nearly as it is."""
_FACTOR = 32.0
"""Of all attention scores where attention is saturated: even half-way between two prompts it looks at one word."""


@dataclass(frozen=True, eq=False)
class Network:
    """Matrices of a program.

    Attributes:
        logic: The program, distractors among its heads and neurons.
        features: Directions.
        embed: ``[vocab, d_model]``.
        unembed: ``[vocab, d_model]``.
        attention: q, k, v ``[layers, heads * head_dim, d_model]`` by name, and o ``[layers, d_model, …]``.
        gate: What neurons read, ``[layers, d_mlp, d_model]``.
        back: What they write, ``[layers, d_model, d_mlp]``.
        sharpness: ``[layers, d_mlp]``; 1 for neurons that are not used.
    """

    logic: Logic
    features: Features
    embed: FloatArray
    unembed: FloatArray
    attention: dict[str, FloatArray]
    gate: FloatArray
    back: FloatArray
    sharpness: FloatArray


def compile_network(logic: Logic, positions: Positions, level: Level) -> Network:
    """Return the matrices of a program.

    Args:
        logic: The program without distractors.
        positions: Of the architecture.
        level: What makes it hard.
    """
    draws, own = Draws(logic.name), [name for _, name in logic.written]
    if level.distractors:
        heads, neurons = distractors(logic, draws)
        logic = replace(logic, heads=logic.heads + heads, neurons=logic.neurons + neurons)
    words = [f"tok:{word}" for word in logic.words]
    noise = [name for _, name in logic.written if name not in own]
    features = place_features([ONE, *words, *own, *positions.features], noise, draws, overlap=level.overlap)
    unembed = [features.read(logic.answers.get(word, {})) for word in logic.words]
    gate, back, sharpness = _neurons(logic, features)
    return Network(
        logic=logic,
        features=features,
        embed=np.stack([features.write({ONE: 1.0, word: 1.0}) for word in words]),
        unembed=np.stack(unembed),
        attention=_attention(logic, features, positions, _FACTOR if level.saturated else 1.0),
        gate=gate,
        back=back,
        sharpness=sharpness,
    )


def _attention(logic: Logic, features: Features, positions: Positions, factor: float) -> dict[str, FloatArray]:
    found = {name: np.zeros((logic.n_layers, N_HEADS * HEAD_DIM, D_MODEL)) for name in "qkv"}
    found["o"] = np.zeros((logic.n_layers, D_MODEL, N_HEADS * HEAD_DIM))
    for head in logic.heads:
        rows = slice(head.index * HEAD_DIM, (head.index + 1) * HEAD_DIM)
        q, k, v, out = head_matrices(head, features, positions, factor)
        for name, matrix in zip("qkv", (q, k, v), strict=True):
            found[name][head.layer, rows] = matrix
        found["o"][head.layer, :, rows] = out
    return found


def _neurons(logic: Logic, features: Features) -> tuple[FloatArray, FloatArray, FloatArray]:
    gate, back = np.zeros((logic.n_layers, D_MLP, D_MODEL)), np.zeros((logic.n_layers, D_MODEL, D_MLP))
    sharpness, free = np.ones((logic.n_layers, D_MLP)), [0] * logic.n_layers
    for neuron in logic.neurons:
        layer, place = neuron.layer, free[neuron.layer]
        gate[layer, place], back[layer, :, place] = features.read(neuron.reads), features.write(neuron.writes)
        sharpness[layer, place] = neuron.sharpness
        free[layer] += 1
    return gate, back, sharpness
