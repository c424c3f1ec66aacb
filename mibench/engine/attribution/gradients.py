"""Gradients at every destination, summed over steps where they are narrow and carried back once.

The gradient at the residual stream read by q, k or v of one head is, with the folded projection W', r = 1 / rms(x)
and a = W' x r (the projection without its bias), r · W'ᵀ g − x · r² (a · g) / d_model. The first part is linear in
r · g, so the steps' sum is formed head_dim wide; of the second, x and the factor are kept for each step. Where the
backward rules freeze norms, r counts as a constant and the second part is left out.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mibench.engine.base import Slots
from mibench.engine.folded import centre, inverse_norm
from mibench.engine.model import LanguageModel
from mibench.engine.run import Run


class Gradients:
    """Sums over steps of the gradients of a metric, flat over ``n_tokens`` tokens.

    Args:
        model: The model.
        n_tokens: Tokens in all.
        frozen_norms: Norms scale by a constant as far as gradients are concerned.
    """

    def __init__(self, model: LanguageModel, n_tokens: int, *, frozen_norms: bool = False) -> None:
        anatomy = model.anatomy
        stream = torch.zeros(n_tokens, anatomy.d_model, device=model.device, dtype=model.accumulate)
        shape = (3 * anatomy.n_heads, n_tokens, anatomy.head_dim)
        self._model, self._frozen_norms = model, frozen_norms
        self._slots = [stream.new_zeros(shape, device=place) for place in model.places]
        self._mlp = [torch.zeros_like(stream, device=place) for place in model.places]
        self._streams: list[list[Tensor]] = [[] for _ in model.places]
        self._pulls: list[list[Tensor]] = [[] for _ in model.places]
        self.final = stream

    def add(self, run: Run, metric: Tensor, *, keep_graph: bool = False) -> None:
        """Take the gradient of ``metric``, a number that ``run`` led to, and add it.

        Args:
            run: A run with gradients.
            metric: The number.
            keep_graph: More gradients will be taken of the same run.
        """
        towards = [*run.projected, *run.before_mlp, run.final]
        found = torch.autograd.grad(metric, towards, retain_graph=keep_graph)
        n_projected = len(run.projected)
        with torch.no_grad():
            self.final += found[-1].flatten(0, 1).to(self.final.device)
            for layer in range(self._model.anatomy.n_layers):
                self._mlp[layer] += found[n_projected + layer].flatten(0, 1)
                self._add_slots(layer, run, run.slots(layer, list(found[:n_projected])))

    def _add_slots(self, layer: int, run: Run, gradients: Slots) -> None:
        folded, anatomy, dtype = self._model.folded[layer], self._model.anatomy, self._model.accumulate
        stream = run.before_attn[layer].detach().flatten(0, 1).to(dtype)
        r = inverse_norm(stream, folded.norm)
        biases = folded.bias[folded.index]
        pulls = []
        for place, (gradient, value) in enumerate(zip(gradients, run.slots(layer), strict=True)):
            g = gradient.flatten(0, 1).to(dtype)
            rows = slice(place * anatomy.n_heads, (place + 1) * anatomy.n_heads)
            self._slots[layer][rows] += (g * r[:, None, None]).transpose(0, 1)
            along = ((value.detach().flatten(0, 1) - biases[place]) * g).sum(-1)
            pulls.append(along * (r.square() / anatomy.d_model)[:, None])
        if not self._frozen_norms:
            self._streams[layer].append(centre(stream, folded.norm))
            self._pulls[layer].append(torch.cat(pulls, dim=1))

    def at(self, layers: range, tokens: slice) -> Tensor:
        """Gradients at the q, k, v and MLP destinations of layers, on the device of the inputs.

        Returns:
            ``[layers · (3 n_heads + 1), tokens, d_model]``, in the order of the graph's columns.
        """
        rows, chosen = 3 * self._model.anatomy.n_heads + 1, self.final[tokens]
        found = chosen.new_empty(len(layers), rows, *chosen.shape)
        for room, layer in zip(found, layers, strict=True):
            self._fill(room, layer, tokens)
        return found.flatten(0, 1)

    def _fill(self, room: Tensor, layer: int, tokens: slice) -> None:
        folded, slots = self._model.folded[layer], self._slots[layer][:, tokens]
        out = room[:-1] if slots.device == room.device else torch.empty_like(room[:-1], device=slots.device)
        torch.bmm(slots, folded.weight[folded.index.flatten()], out=out)
        if self._pulls[layer]:
            pulls = torch.stack([pull[tokens] for pull in self._pulls[layer]], dim=2)
            streams = torch.stack([stream[tokens] for stream in self._streams[layer]], dim=1)
            out -= (pulls @ streams).transpose(0, 1)
        if out.device != room.device:
            room[:-1] = out
        room[-1] = self._mlp[layer][tokens]
