"""What ``benchmarks/scaling.py`` makes larger, and the work that it times at each size."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from costs import Tasks
from gpu_ground import Ground, Noise
from inputs import LEFT_5, random_circuit
from shapes import Shape
from transformers import Gemma2Config, LlamaConfig

from mibench.artifacts.dictionaries.dictionary import Place
from mibench.core.hook_points import HookPoint
from mibench.core.sites import Site
from mibench.engine.attribution.edges import Attribution, attribute_edges
from mibench.engine.circuits.evaluate import Evaluation, evaluate
from mibench.engine.interchange.interchanges import Interchanges
from mibench.engine.interchange.options import SiteEdit
from mibench.engine.meter import NoCounter
from mibench.methods.dictionary_view import DictionaryView
from mibench.methods.method import METHODS
from mibench.methods.variable_view import Ground as Sites
from mibench.methods.variable_view import VariableView
from mibench.runner.execute import run
from mibench.runner.observe import Quiet
from mibench.runner.settings import run_settings
from mibench.tasks.variable_task import Training

PLAIN = "plain forward"
VOCABULARY = 256
GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "tiny_gpt2"
METHOD_STEPS = 8


@dataclass(frozen=True)
class Base:
    """Sizes of all that does not grow.

    Attributes:
        width: Of the residual stream; heads get narrower as they get more.
        layers: Of the model.
        heads: Of a layer.
        examples: Prompts.
        length: Tokens of a prompt.
        post_norm: Whether a norm stands between attention and stream, as in Gemma 2.
    """

    width: int = 128
    layers: int = 6
    heads: int = 8
    examples: int = 32
    length: int = 16
    post_norm: bool = False

    @property
    def shape(self) -> Shape:
        """A small Llama or Gemma 2."""
        config = (Gemma2Config if self.post_norm else LlamaConfig)(
            vocab_size=VOCABULARY,
            hidden_size=self.width,
            intermediate_size=2 * self.width,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.heads,
            head_dim=self.width // self.heads,
            max_position_embeddings=512,
            tie_word_embeddings=False,
        )
        return Shape(f"{self.layers} layers, {self.heads} heads", config, "eager" if self.post_norm else "sdpa")

    @property
    def ground(self) -> Ground:
        """Random prompts that share nothing, on a random model."""
        return Ground.make(self.shape, torch.device("cpu"), torch.float32, (self.examples, self.length))


@dataclass(frozen=True)
class Axis:
    """What grows.

    Attributes:
        name: For people.
        values: Its sizes, each twice the one before or so.
        make: The work at a size, by name.
        x: What the cost is to be linear in, from the size: itself, or the edges of a graph of that size.
    """

    name: str
    values: tuple[int, ...]
    make: Callable[[int], Tasks]
    x: Callable[[int], float] = float


def circuit_track(on: Ground) -> Tasks:
    """Attribution and evaluation."""
    circuits = [random_circuit(on.model.graph, share) for share in (0.1, 0.5)]
    return {
        PLAIN: partial(on.plain, NoCounter()),
        "EAP": lambda: attribute_edges(on.model, on.pairs, Attribution()),
        "EAP-IG-inputs, 5 steps": lambda: attribute_edges(on.model, on.pairs, Attribution(LEFT_5)),
        "two circuits and both runs": lambda: evaluate(on.model, on.pairs, circuits, Evaluation()),
    }


def circuits(base: Base, number: int) -> Tasks:
    """More circuits of one size."""
    on = base.ground
    chosen = [random_circuit(on.model.graph, 0.3, seed) for seed in range(number)]
    evaluated = partial(evaluate, on.model, on.pairs, chosen, Evaluation())
    return {PLAIN: partial(on.plain, NoCounter()), "evaluation": evaluated}


def budget(base: Base, percent: int) -> Tasks:
    """A larger circuit."""
    on = base.ground
    evaluated = partial(evaluate, on.model, on.pairs, [random_circuit(on.model.graph, percent / 100)], Evaluation())
    return {PLAIN: partial(on.plain, NoCounter()), "evaluation": evaluated}


def sites(base: Base, number: int) -> Tasks:
    """More interchange interventions, of all layers in turn."""
    on = base.ground
    layers = [place % base.layers for place in range(number)]
    plans = [(SiteEdit(Site(layer, "last"), lambda _, source: source),) for layer in layers]
    return {
        PLAIN: partial(on.plain, NoCounter()),
        "interchanges": lambda: Interchanges(on.model, on.rows).run(plans),
    }


def das_epochs(base: Base, epochs: int) -> Tasks:
    """More epochs of training at one site, batches of 8 rows."""
    on, das = base.ground, METHODS.load("das")
    place = ((Site(base.layers // 3, "last"),),)
    where = Sites("toy", "tiny", "x", place, lambda width: min(8, width), Training(epochs, 8, 1e-2))

    def trained() -> object:
        return das.function(VariableView(on.model, where, on.rows), **das.parameters({}))

    return {PLAIN: partial(on.plain, NoCounter()), "DAS": trained}


def dictionary(base: Base, width: int, steps: int) -> Tasks:
    """A wider dictionary, or a longer training; a step has twice as many tokens as the stream has entries."""
    batch = 2 * base.width
    method, source = METHODS.load("topk"), Noise(batch, base.width, torch.device("cpu"))
    view = DictionaryView(Place("noise", HookPoint(0)), source)
    params = method.parameters({"width": width, "k": 16, "batch": batch, "tokens": batch * steps})
    return {"TopK training": lambda: method.function(view, **params)}


def cells(number: int) -> Tasks:
    """More cells of one ground, all of them new, and all of them there already."""
    keys = {"task": str(GOLDEN / "pairs_A.jsonl"), "model": str(GOLDEN), "method": ["random"], "split": "test"}
    settings = {**keys, "seeds": number, "floor_draws": 1, "limit": 4}
    kept = tempfile.TemporaryDirectory(prefix="mibench-scaling-")

    def new() -> None:
        with tempfile.TemporaryDirectory(prefix="mibench-scaling-") as folder:
            run(run_settings({**settings, "out": folder}), Quiet())

    def again() -> None:
        _ = kept  # the folder lives as long as this function
        run(run_settings({**settings, "out": kept.name}), Quiet())

    again()
    return {"new cells": new, "cells that are there": again}


def axes(*, quick: bool) -> list[Axis]:
    """Everything that grows; ``quick``: two small sizes of each, on a tiny model, to see that all of it works."""
    base = Base(width=16, layers=2, heads=2, examples=2, length=4) if quick else Base()

    def sized(name: str, value: Any) -> Base:
        return replace(base, **{name: value})

    def growing(name: str) -> Callable[[int], Tasks]:
        return lambda value: circuit_track(sized(name, value).ground)

    def edges(name: str) -> Callable[[int], float]:
        return lambda value: float(sized(name, value).shape.graph.n_edges)

    fewer, heads = replace(base, examples=min(16, base.examples)), replace(base, heads=2 * base.heads)
    gemma = replace(base, examples=min(8, base.examples), post_norm=True)
    full = [
        Axis("examples", (16, 32, 64, 128), growing("examples")),
        Axis("prompt length", (16, 32, 64, 128), lambda n: circuit_track(replace(fewer, length=n).ground)),
        Axis("layers", (6, 12, 24, 48), lambda n: circuit_track(replace(fewer, layers=n).ground), edges("layers")),
        Axis(
            "layers of Gemma 2", (6, 12, 24), lambda n: circuit_track(replace(gemma, layers=n).ground), edges("layers")
        ),
        Axis("heads", (4, 8, 16, 32, 64), growing("heads"), edges("heads")),
        Axis("circuits", (4, 8, 16, 32), partial(circuits, fewer)),
        Axis("edges of a circuit, %", (6, 12, 25, 50), partial(budget, heads)),
        Axis("interchange sites", (24, 48, 96, 192), partial(sites, base)),
        Axis("DAS epochs", (4, 8, 16, 32), partial(das_epochs, base)),
        Axis("latents", (512, 1024, 2048, 4096), lambda n: dictionary(base, n, METHOD_STEPS)),
        Axis("training steps", (16, 32, 64, 128), lambda n: dictionary(base, 4 * base.width, n)),
        Axis("cells", (8, 16, 32, 64), cells),
    ]
    return [replace(one, values=(4, 8) if "latents" not in one.name else (16, 32)) for one in full] if quick else full
