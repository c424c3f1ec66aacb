"""A source of activations that are sparse sums of known directions, and scores of dictionaries on it."""

from __future__ import annotations

import numpy as np
import torch

from mibench.artifacts.dictionaries.dictionary import Place, TrainingFacts
from mibench.core.hook_points import HookKind, HookPoint
from mibench.engine.activations.source import Activations
from mibench.engine.dictionaries.coder import Coder
from mibench.methods.dictionary_view import DictionaryView
from mibench.methods.method import METHODS

FEATURES, ENTRIES, WIDTH = 32, 16, 32
CPU = torch.device("cpu")
HERE = HookPoint(0)
QUICK = {"width": WIDTH, "batch": 256, "lr": 0.01}


class Planted:
    """32 directions in 16 entries, each on in 6 % of the tokens, and a mean far from 0.

    With ``d_out``, targets are the same features along other directions.
    """

    def __init__(self, tokens=60_000, *, d_out=None, scale=5.0, seed=0):
        draws = np.random.default_rng(seed)
        self.features = directions(draws, FEATURES, ENTRIES)
        on = draws.random((tokens, FEATURES)) < 0.06
        codes = on * draws.uniform(0.5, 1.5, (tokens, FEATURES))
        mean = draws.normal(size=ENTRIES) / 4
        self.inputs = tensor(scale * (codes @ self.features + mean))
        self.targets = self.inputs
        if d_out is not None:
            self.targets = tensor(codes @ directions(draws, FEATURES, d_out) + 1)
        self.digest = f"planted {tokens} {d_out} {scale} {seed}"

    @property
    def n_tokens(self):
        return len(self.inputs)

    @property
    def d_in(self):
        return self.inputs.shape[1]

    @property
    def d_out(self):
        return self.targets.shape[1]

    def batches(self, size, seed, *, skip=0):
        count = self.n_tokens // size
        epoch, done = divmod(skip, count)
        while True:
            order = torch.randperm(self.n_tokens, generator=torch.Generator().manual_seed(1000 * seed + epoch))
            for start in range(done * size, count * size, size):
                rows = order[start : start + size]
                inputs = self.inputs[rows]
                yield Activations(inputs, inputs if self.targets is self.inputs else self.targets[rows])
            epoch, done = epoch + 1, 0


def directions(draws, count, size):
    rows = draws.normal(size=(count, size))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def tensor(values):
    return torch.tensor(values, dtype=torch.float32)


def view_of(source, **changes):
    output = None if source.targets is source.inputs else HookPoint(0, HookKind.MLP_OUT)
    facts = TrainingFacts(corpus="planted", context=8, bos=False)
    return DictionaryView(**({"place": Place("toy", HERE, output), "source": source, "facts": facts} | changes))


def made_by(name, source, *, view=None, **params):
    method = METHODS.load(name)
    shown = view_of(source) if view is None else view
    given = {key: value for key, value in (QUICK | params).items() if key in method.known}
    if name == "sae-pca":
        given = {key: value for key, value in params.items() if key in method.known}
    return method.function(shown, **method.parameters(given))


def run(dictionary, x):
    """Latents and reconstruction."""
    coder = Coder(dictionary, device=CPU, dtype=torch.float32)
    latents = coder.encode(x)
    return latents, coder.decode(latents, x)


def explained(dictionary, source):
    x, y = source.inputs, source.targets.double()
    _, reconstruction = run(dictionary, x)
    return 1 - float((y - reconstruction).square().sum() / (y - y.mean(0)).square().sum())


def l0_of(dictionary, source):
    latents, _ = run(dictionary, source.inputs)
    return float((latents != 0).sum() / len(latents))


def recovered(dictionary, source):
    """Mean over features of the largest cosine with a decoder row."""
    return float((source.features @ dictionary.tensors["w_dec"].T.astype(np.float64)).max(1).mean())
