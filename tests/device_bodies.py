"""What every device has to do alike, as functions of a model on it: the processor runs them too, so they cannot rot."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import torch
from alignment_cases import HEADS, LAST, rows, view
from core_family import evaluation
from dictionary_examples import example
from numpy.typing import NDArray
from planted_activations import Planted, made_by, view_of
from subjects import make_pairs
from tiny_models import VOCAB, tiny_model
from torch.nn.functional import cross_entropy

from mibench.artifacts.circuit import CircuitScores
from mibench.artifacts.dictionaries.dictionary import Dictionary, Place, Rule
from mibench.core.hook_points import HookKind, HookPoint
from mibench.core.sites import Component, Site
from mibench.core.specs import Level
from mibench.engine.activations.capture import read
from mibench.engine.activations.splice import Splice
from mibench.engine.attribution.edges import Attribution, attribute_edges
from mibench.engine.circuits.evaluate import Evaluation, evaluate
from mibench.engine.dictionaries.coder import Coder
from mibench.engine.interchange.interchanges import Interchanges
from mibench.engine.interchange.options import Intervention, SiteEdit
from mibench.engine.model import LanguageModel
from mibench.engine.run import forward
from mibench.graph.circuit import Circuit, prune
from mibench.methods.alignment.rotations import orthonormal, random_columns
from mibench.methods.method import METHODS
from mibench.methods.view import CircuitView
from mibench.tracks.circuit import score_circuit
from mibench.tracks.sae.core_sums import add_by_context
from mibench.tracks.sae.evaluation import Subject
from mibench.tracks.select import circuits_of

Array = NDArray[np.float64]
FAMILIES = ("gpt2", "gpt_neox", "llama", "qwen2", "gemma2")
LEFT_5 = tuple(step / 5 for step in range(5))
POINT = HookPoint(1)
D_MODEL, LATENTS, CONTEXTS = 16, 24, 3


def on(device: str, name: str, dtype: torch.dtype = torch.float32) -> LanguageModel:
    """A tiny model of a family; its numbers are drawn on the processor, so every device has the same."""
    return LanguageModel(tiny_model(name, dtype).to(device))


def array(values: torch.Tensor) -> Array:
    return values.detach().to("cpu", torch.float64).numpy()


def text(model: LanguageModel) -> torch.Tensor:
    """Random token ids, ``[contexts, pos]``."""
    drawn = torch.randint(1, VOCAB, (CONTEXTS, 9), generator=torch.Generator().manual_seed(0))
    return drawn.to(model.device)


def circuits(model: LanguageModel) -> list[Circuit]:
    chances = np.random.default_rng(0).random(model.graph.shape)
    return [prune(model.graph, (chances < share) & model.graph.real_mask) for share in (0.3, 0.6, 0.9)]


def plain_logits(model: LanguageModel) -> Array:
    with torch.no_grad():
        return array(model.hf(input_ids=text(model), use_cache=False).logits)


def hooked_logits(model: LanguageModel) -> Array:
    return array(forward(model, model.anatomy.embed(text(model)), None).logits)


def eap(model: LanguageModel) -> Array:
    return attribute_edges(model, make_pairs(), Attribution(batch_size=3))


def eap_ig(model: LanguageModel) -> Array:
    return attribute_edges(model, make_pairs(), Attribution(LEFT_5, batch_size=3, padded=True))


def circuit_values(model: LanguageModel) -> Array:
    found = evaluate(model, make_pairs(), circuits(model), Evaluation(batch_size=3))
    return np.concatenate([found.clean[None], found.empty[None], found.circuits])


def half(base: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    return (base + source) / 2


def interventions() -> list[Intervention]:
    places = [Site(0, "last"), Site(1, "first", Component.RESIDUAL_PRE), Site(1, "all", Component.MLP), HEADS[0]]
    single: list[Intervention] = [(SiteEdit(site, half),) for site in places]
    return [*single, tuple(SiteEdit(site, half) for site in HEADS)]


def interchange_answers(model: LanguageModel) -> Array:
    return Interchanges(model, rows()).run(interventions()).label_logprob


def das_gradient(model: LanguageModel) -> Array:
    """The gradient of a step of distributed alignment search."""
    generator = torch.Generator().manual_seed(0)
    free = random_columns(D_MODEL, 4, model, generator)

    def edit(base: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
        rotation = orthonormal(free)
        return base + (source - base) @ rotation @ rotation.T

    batch = next(Interchanges(model, rows()).minibatches(8, generator))
    logits = batch.logits((SiteEdit(Site(0, "last"), edit),))[:, 0]
    labels = torch.tensor([rows()[row].label[0] for row in batch.rows], device=logits.device)
    loss = cross_entropy(logits.float() if model.dtype != torch.float64 else logits, labels)
    (gradient,) = torch.autograd.grad(loss, free)
    return array(gradient)


def activations(model: LanguageModel) -> Array:
    kinds = (HookKind.RESIDUAL_PRE, HookKind.RESIDUAL_POST, HookKind.MLP_IN, HookKind.MLP_OUT, HookKind.ATTN_OUT)
    found = read(model, text(model), [HookPoint(1, kind) for kind in kinds])
    return np.stack([array(one) for one in found.values()])


@cache
def dictionary() -> Dictionary:
    """Random latents of a ReLU: nothing is chosen, so that rounding flips no choice."""
    draws = np.random.default_rng(0)
    w_dec = draws.normal(size=(LATENTS, D_MODEL)).astype(np.float32) / 4
    biases = {"b_enc": np.zeros(LATENTS, np.float32), "b_dec": np.zeros(D_MODEL, np.float32)}
    tensors = {"w_enc": np.ascontiguousarray(w_dec.T), "w_dec": w_dec, **biases}
    return Dictionary(Place("tiny", POINT), "relu", Rule("relu", pre_bias=True), tensors)


def dictionary_losses(model: LanguageModel) -> Array:
    """Cross-entropy and KL divergence with a reconstruction and with zeros in the place of activations."""
    splice = Splice(model, text(model), POINT)
    coder = Coder(dictionary(), device=model.device, dtype=model.accumulate)
    with torch.no_grad():
        put = coder.reconstruct(splice.clean.to(model.accumulate)), torch.zeros_like(splice.clean)
    found = splice.losses_of(put, torch.ones_like(text(model), dtype=torch.bool))
    return np.stack([array(splice.clean_ce), *(array(each) for one in found for each in (one.ce, one.kl))])


BODIES: dict[str, Callable[[LanguageModel], Array]] = {
    "a plain forward pass": plain_logits,
    "a hooked forward pass": hooked_logits,
    "EAP": eap,
    "EAP-IG": eap_ig,
    "circuits": circuit_values,
    "interchanges": interchange_answers,
    "a DAS step": das_gradient,
    "captured activations": activations,
    "losses of a dictionary": dictionary_losses,
}
"""Numbers of a model, by what they are of."""


@cache
def expected(body: str, family: str) -> Array:
    """The same in float64 on the processor."""
    return BODIES[body](on("cpu", family, torch.float64))


def difference(body: str, family: str, device: str, dtype: torch.dtype) -> float:
    """How far a device is from float64 at most, as a share of the largest number."""
    wanted, found = expected(body, family), BODIES[body](on(device, family, dtype))
    assert found.shape == wanted.shape
    assert np.isfinite(found).all()
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


def one_cell(model: LanguageModel) -> tuple[str, str]:
    """A cell of the circuit track and one of the variable track, from the method to the per-example table."""
    pairs = make_pairs()
    seen = CircuitView(model, pairs, pairs, Level.EDGE)
    made: CircuitScores = METHODS.load("eap-ig-inputs").function(seen, steps=2)
    tables = score_circuit(model, circuits_of(made), pairs, Evaluation())
    cell = view((LAST,), model=model)
    das = METHODS.load("das")
    featurizers = das.function(cell, **das.parameters({"epochs": 1}))
    return tables.table.to_json(double_precision=15), featurizers.digest


def trained_dictionary(device: str) -> str:
    """The digest of a dictionary that is trained on a device."""
    source = Planted(tokens=3000)
    shown = view_of(source, device=torch.device(device))
    return str(made_by("topk", source, view=shown, k=2).digest)


@contextmanager
def deterministic_only() -> Iterator[None]:
    """Operations that may give other bits next time are refused, or done another way where torch has one."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def context_sums(device: str) -> bytes:
    """Sums over the tokens of contexts, of numbers whose order can be told from the sum."""
    draws = np.random.default_rng(0)
    context = np.repeat(np.arange(9), draws.integers(0, 900, 9))
    values = draws.normal(size=(len(context), 7)) * 10 ** draws.uniform(-9, 9, (len(context), 7))
    sums = torch.zeros(9, 7, dtype=torch.float64, device=device)
    add_by_context(sums, torch.from_numpy(context).to(device), torch.from_numpy(values).to(device))
    return array(sums).tobytes()


def core_pass(model: LanguageModel, folder: Path) -> list[bytes]:
    """All columns that the core family finds of a dictionary on a model of `on`."""
    found = example("batchtopk", D_MODEL, LATENTS)
    one = Subject(found, Coder(found, device=model.device, dtype=model.accumulate))
    (scores,) = evaluation(folder, model=model).score([one])
    return [column.to_numpy().tobytes() for table in scores.tables.values() for _, column in table.items()]


def held_by_torch(device: str) -> tuple[int, int]:
    """Live tensors of this process, and the bytes that a graphics card has allocated."""
    gc.collect()
    tensors = sum(1 for one in gc.get_objects() if type(one) is torch.Tensor)
    return tensors, torch.cuda.memory_allocated(device) if torch.device(device).type == "cuda" else 0


def growth(device: str, cells: int) -> tuple[int, int]:
    """How much more is held after so many cells than after the first two."""
    model = on(device, "llama")
    for _ in range(2):
        one_cell(model)
    before = held_by_torch(device)
    for _ in range(cells - 2):
        one_cell(model)
    after = held_by_torch(device)
    return after[0] - before[0], after[1] - before[1]
