"""What is measured on a sample of the training data before training: scale and mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from mibench.core.errors import MethodError
from mibench.engine.activations.source import Activations
from mibench.methods.dictionary_view import DictionaryView

SAMPLE_TOKENS = 8192


@dataclass(frozen=True)
class Scaler:
    """Brings activations to a mean square of 1 an entry, E‖x‖² = d.

    Attributes:
        inputs: Factor of what is read.
        targets: Factor of what is reconstructed.
        device: Where they are brought.
    """

    inputs: float
    targets: float
    device: torch.device

    def __call__(self, batch: Activations) -> Activations:
        """Scaled activations, float32, on the device."""
        x = batch.inputs.to(self.device, torch.float32) * self.inputs
        if batch.targets is batch.inputs:
            return Activations(x, x)
        return Activations(x, batch.targets.to(self.device, torch.float32) * self.targets)


@dataclass(frozen=True)
class Sample:
    """A sample of the training data.

    Attributes:
        scaler: What brings data to the scale of training.
        scaled: The sample in that scale, ``[tokens, d_in]`` and ``[tokens, d_out]``.
        transcoder: Whether something else than what is read is reconstructed.
    """

    scaler: Scaler
    scaled: Activations
    transcoder: bool

    @property
    def input_mean(self) -> Tensor:
        """Mean of what is read, ``[d_in]``."""
        return _mean(self.scaled.inputs)

    @property
    def target_mean(self) -> Tensor:
        """Mean of what is reconstructed, ``[d_out]``."""
        return _mean(self.scaled.targets)


def is_transcoder(view: DictionaryView) -> bool:
    """Whether a dictionary here is to reconstruct something else than what it reads."""
    return view.place.target != view.place.hook or view.source.d_in != view.source.d_out


def sample_of(view: DictionaryView, batch: int) -> Sample:
    """The first batches of the training, about 8,192 tokens, and their scale.

    Raises:
        MethodError: They are all zero, or not finite.
    """
    count = max(1, min(SAMPLE_TOKENS, view.source.n_tokens) // batch)
    batches = list(islice(view.source.batches(batch, view.seed), count))
    inputs = torch.cat([one.inputs for one in batches])
    same = all(one.targets is one.inputs for one in batches)
    targets = inputs if same else torch.cat([one.targets for one in batches])
    transcoder = is_transcoder(view)
    factor = _factor(inputs)
    scaler = Scaler(factor, _factor(targets) if transcoder else factor, view.device)
    return Sample(scaler, scaler(Activations(inputs, targets)), transcoder)


def _factor(values: Tensor) -> float:
    square = float(values.double().square().mean())
    if not 0 < square < float("inf"):
        raise MethodError(
            "The activations cannot be scaled.",
            why=f"Their mean square is {square}.",
            do="Choose another hook point, or check the model.",
        )
    return 1 / math.sqrt(square)


def _mean(values: Tensor) -> Tensor:
    return values.double().mean(0).to(values.dtype)
