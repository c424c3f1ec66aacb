"""From the scale of training to that of the activations."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from mibench.artifacts.dictionaries.dictionary import Dictionary, Rule, TrainingFacts
from mibench.methods.dictionaries.learner import Learnt
from mibench.methods.dictionaries.sample import Scaler
from mibench.methods.dictionary_view import DictionaryView

_IN_TARGET_UNITS = {"b_enc", "b_dec", "threshold", "b_gate", "b_mag"}


def exported(
    view: DictionaryView, learnt: Learnt, scaler: Scaler, *, pre_bias: bool, facts: TrainingFacts
) -> Dictionary:
    """The dictionary for activations as they are.

    With inputs times a and targets times c in training, latents become f / c, which keeps decoder rows at norm 1:
    ``w_enc`` is multiplied by a / c, biases and thresholds are divided by c, ``w_dec`` and ``r_mag`` stay.

    Args:
        view: The view.
        learnt: In the scale of training.
        scaler: That scale.
        pre_bias: Whether ``b_dec`` is subtracted before the encoder.
        facts: What is known of the training.
    """
    tensors = {name: _unscaled(name, tensor, scaler) for name, tensor in learnt.tensors.items()}
    rule = Rule(learnt.activation, pre_bias, k=learnt.k)
    facts = replace(facts, groups=learnt.groups)
    return view.dictionary(learnt.architecture, rule, tensors, facts=facts, meta=learnt.meta)


def _unscaled(name: str, tensor: Tensor, scaler: Scaler) -> Tensor:
    if name == "w_enc":
        return (tensor.detach().T.double() * (scaler.inputs / scaler.targets)).float()
    if name in _IN_TARGET_UNITS:
        return (tensor.detach().double() / scaler.targets).float()
    return tensor.detach()
