"""The README of a planted model's folder."""

from __future__ import annotations

from mibench.planted.levels import Level
from mibench.planted.logic import Logic


def card(name: str, logic: Logic, level: Level, family: str) -> str:
    """Return the text of a model's card.

    Args:
        name: Name of the model.
        logic: Its program, without distractors.
        level: What makes it hard.
        family: Its architecture.
    """
    edges = "\n".join(f"- {title}: {', '.join(f'`{edge}`' for edge in found)}" for title, found in logic.edges.items())
    places = "\n".join(f"- {place.variable}: after layer {place.layer}, at {place.position}" for place in logic.places)
    return f"""# {name}

A {family} of {logic.n_layers} layers whose weights are written by hand: it {logic.note} ({level.note}).
It knows the {len(logic.words)} words of its program, and reads no other text.

Edges that carry the answer, by what a counterfactual changes:

{edges}

Where the variables of its causal model live:

{places}

`truth.json` says both for programs, `subspaces.safetensors` holds the variables' directions, and
`features.safetensors` the direction of every feature that is written to the residual stream.

Written by mibench (`mibench.planted`); Apache-2.0.
"""
