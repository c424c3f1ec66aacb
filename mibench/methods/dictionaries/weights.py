"""Encoder and decoder while they are trained."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import linear

from mibench.core.hashing import digest
from mibench.methods.dictionaries.sample import Sample
from mibench.methods.dictionary_view import DictionaryView

_TINY = 1e-12
_RIDGE = 1e-3


@dataclass(frozen=True, eq=False)
class Weights:
    """Encoder and decoder, latents in rows.

    Attributes:
        w_enc: ``[width, d_in]``.
        b_enc: ``[width]``.
        w_dec: ``[width, d_out]``, unit rows.
        b_dec: ``[d_out]``.
        pre_bias: Whether ``b_dec`` is subtracted before the encoder.
    """

    w_enc: Tensor
    b_enc: Tensor
    w_dec: Tensor
    b_dec: Tensor
    pre_bias: bool

    @property
    def named(self) -> dict[str, Tensor]:
        """The tensors by name."""
        return {"w_enc": self.w_enc, "b_enc": self.b_enc, "w_dec": self.w_dec, "b_dec": self.b_dec}

    @property
    def shift(self) -> Tensor:
        """What subtracting ``b_dec`` adds to pre-activations, ``[width]``."""
        return -(self.w_enc @ self.b_dec) if self.pre_bias else torch.zeros_like(self.b_enc)

    @property
    def encoder(self) -> tuple[Tensor, Tensor]:
        """Rows and bias of p = x Wᵀ + b, the subtraction of ``b_dec`` made part of the bias."""
        return self.w_enc, self.b_enc + self.shift

    @torch.no_grad()
    def preactivations(self, x: Tensor) -> Tensor:
        """``[tokens, width]``, without gradients."""
        return linear(x, *self.encoder)

    @torch.no_grad()
    def drop_radial(self) -> None:
        """Take out of the decoder's gradient what would only change the norms of its rows."""
        if self.w_dec.grad is not None:
            along = (self.w_dec.grad * self.w_dec).sum(1, keepdim=True)
            self.w_dec.grad.addcmul_(along, self.w_dec, value=-1)

    @torch.no_grad()
    def normalise(self) -> None:
        """Give the decoder's rows norm 1."""
        self.w_dec.div_(norms(self.w_dec))


def norms(rows: Tensor) -> Tensor:
    """Norms of rows, ``[n, 1]``, never 0."""
    sizes: Tensor = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return sizes.clamp_min_(_TINY)


def own_draws(view: DictionaryView) -> torch.Generator:
    """A generator from the cell's seed whose draws are not those of data generated from the same seed.

    Without this, rows of a random dictionary could be the very features of a synthetic text.
    """
    first = torch.randint(2**62, (), generator=view.torch_generator).item()
    return torch.Generator().manual_seed(int(digest(["dictionary", first])[:15], 16))


def random_rows(count: int, size: int, generator: torch.Generator) -> Tensor:
    """Rows with directions that are uniformly random, of norm 1."""
    rows = torch.randn(count, size, generator=generator)
    return rows.div_(norms(rows))


def random_weights(sample: Sample, width: int, generator: torch.Generator, *, pre_bias: bool = True) -> Weights:
    """Random decoder rows, the same as encoder, biases that take the mean away.

    A transcoder's encoder is the same rows too, but of what a linear map, least squares on the sample, predicts of the
    targets: of random rows, none would have anything to do with what its latent writes.

    Args:
        sample: Of the training data.
        width: Number of latents.
        generator: Draws.
        pre_bias: Whether ``b_dec`` is subtracted before the encoder; never for a transcoder.
    """
    x, y = sample.scaled.inputs, sample.scaled.targets
    w_dec = random_rows(width, y.shape[1], generator).to(x.device)
    w_enc = w_dec @ _prediction(sample).T if sample.transcoder else w_dec.clone()
    pre_bias = pre_bias and not sample.transcoder
    b_enc = w_enc.new_zeros(width) if pre_bias else -(w_enc @ sample.input_mean)
    return Weights(w_enc, b_enc, w_dec, sample.target_mean, pre_bias)


def _prediction(sample: Sample) -> Tensor:
    """Least-squares map from what is read to the targets, ``[d_in, d_out]``, with a small ridge."""
    x = (sample.scaled.inputs - sample.input_mean).double()
    y = (sample.scaled.targets - sample.target_mean).double()
    covariance = x.T @ x
    ridge = _RIDGE * covariance.diagonal().mean()
    covariance.diagonal().add_(ridge)
    found: Tensor = torch.linalg.solve(covariance, x.T @ y)
    return found.float()


def fit_scale(weights: Weights, reconstruction: Tensor, target: Tensor) -> float:
    """Scale the encoder so that what it gives, ``[tokens, d_out]``, is nearest to the target; return the factor.

    For a nonlinearity that commutes with positive factors.
    """
    centred, wanted = (reconstruction - weights.b_dec).double(), (target - weights.b_dec).double()
    factor = float((centred * wanted).sum() / centred.square().sum().clamp_min(_TINY))
    if factor <= 0:
        return 1.0
    weights.w_enc.mul_(factor)
    weights.b_enc.mul_(factor)
    return factor
