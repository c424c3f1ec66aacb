"""Plain runs on base prompts, written down so that an intervened run can begin anywhere."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from mibench.engine.attention import Context
from mibench.engine.interchange.batches import padded
from mibench.engine.interchange.reading import Place, Stage, reading
from mibench.engine.model import LanguageModel
from mibench.tasks.interchange import Ids

KeysValues = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Tape:
    """Runs of several prompts, their tokens one after another.

    Attributes:
        starts: Where each prompt's first token stands, ``[rows]``.
        lengths: Tokens of each prompt, ``[rows]``.
        streams: Residual stream before a layer (``n_layers``: the one that the logits read), ``[tokens, d_model]``.
        keys: Keys of a layer, ``[tokens, n_kv_heads, head_dim]``.
        values: Values, likewise.
        contexts: Mask and rotary angles of each layer, by length of the padded prompts.
    """

    starts: Tensor
    lengths: Tensor
    streams: dict[int, Tensor]
    keys: dict[int, Tensor]
    values: dict[int, Tensor]
    contexts: dict[int, list[Context]]

    def stream(self, layer: int, rows: Tensor, positions: Tensor) -> Tensor:
        """The stream before a layer at ``positions`` ``[rows, pos]``, ``[rows, pos, d_model]``.

        Beyond a prompt's end its last token is repeated: attention is causal, so nothing real reads it.
        """
        stream = self.streams[layer]
        return stream[self._numbers(rows, positions).to(stream.device)]

    def prefix(self, layer: int, rows: Tensor, length: int) -> KeysValues:
        """Keys and values of the first positions, ``[rows, n_kv_heads, length, head_dim]``."""
        numbers = self._numbers(rows, torch.arange(length, device=rows.device)).to(self.keys[layer].device)
        return self.keys[layer][numbers].transpose(1, 2), self.values[layer][numbers].transpose(1, 2)

    def context(self, length: int) -> list[Context]:
        """Mask and rotary angles of each layer for at least so many positions."""
        return self.contexts[min(known for known in self.contexts if known >= length)]

    def _numbers(self, rows: Tensor, positions: Tensor) -> Tensor:
        return self.starts[rows, None] + torch.minimum(positions, self.lengths[rows, None] - 1)


def record(model: LanguageModel, prompts: Sequence[Ids], layers: Collection[int] | None = None) -> Tape:
    """Run prompts plainly.

    Args:
        model: The model.
        prompts: Token ids.
        layers: Layers before which the stream is kept; keys and values are those from the first of them on.
            None: all.
    """
    device, n_layers = model.device, model.anatomy.n_layers
    kept = range(n_layers + 1) if layers is None else sorted(set(layers))
    streams: dict[int, Tensor] = {}
    ids, cache = padded(prompts, device), DynamicCache()
    readers = [(Place(layer, Stage.STREAM), _keeper(streams, layer)) for layer in kept]
    with torch.no_grad(), reading(model, readers), _contexts(model) as contexts:
        model.hf.base_model(input_ids=ids, past_key_values=cache, use_cache=True)
    after = range(kept[0], n_layers)
    return Tape(
        starts=torch.arange(len(ids), device=device) * ids.shape[1],
        lengths=torch.tensor([len(one) for one in prompts], device=device),
        streams=streams,
        keys={layer: _tokens(cache.layers[layer].keys) for layer in after},
        values={layer: _tokens(cache.layers[layer].values) for layer in after},
        contexts={ids.shape[1]: contexts},
    )


def join(tapes: Sequence[Tape]) -> Tape:
    """One tape of all rows, without padding; the tapes are emptied on the way, to save memory."""
    lengths = torch.cat([tape.lengths for tape in tapes])
    first = list(accumulate(lengths.tolist()[:-1], initial=0))
    real = [_real(tape) for tape in tapes]

    def whole(parts: list[dict[int, Tensor]]) -> dict[int, Tensor]:
        return {
            layer: torch.cat([_at(part.pop(layer), index) for part, index in zip(parts, real, strict=True)])
            for layer in sorted(parts[0])
        }

    return Tape(
        starts=torch.tensor(first, device=lengths.device),
        lengths=lengths,
        streams=whole([tape.streams for tape in tapes]),
        keys=whole([tape.keys for tape in tapes]),
        values=whole([tape.values for tape in tapes]),
        contexts={length: made for tape in tapes for length, made in tape.contexts.items()},
    )


def tape_bytes(model: LanguageModel, tokens: int, layers: Collection[int] | None = None) -> int:
    """Memory of a tape."""
    anatomy = model.anatomy
    streams = anatomy.n_layers + 1 if layers is None else len(set(layers))
    blocks = anatomy.n_layers - (0 if layers is None else min(layers))
    width = streams * anatomy.d_model + 2 * blocks * anatomy.n_kv_heads * anatomy.head_dim
    return tokens * width * model.dtype.itemsize


def _at(part: Tensor, index: Tensor) -> Tensor:
    return part[index.to(part.device)]


def _real(tape: Tape) -> Tensor:
    return torch.cat(
        [
            torch.arange(start, start + length, device=tape.starts.device)
            for start, length in zip(tape.starts.tolist(), tape.lengths.tolist(), strict=True)
        ]
    )


def _tokens(part: Tensor) -> Tensor:
    return part.transpose(1, 2).flatten(0, 1)


def _keeper(streams: dict[int, Tensor], layer: int) -> Any:
    def keep(value: Tensor) -> None:
        streams[layer] = value.flatten(0, 1)

    return keep


@contextmanager
def _contexts(model: LanguageModel) -> Iterator[list[Context]]:
    found: list[Context] = []

    def hook(_: nn.Module, __: Any, kwargs: dict[str, Any]) -> None:
        mask, rotary = kwargs.get("attention_mask"), kwargs.get("position_embeddings")
        found.append(
            Context(
                None if mask is None else mask[:1],
                None if rotary is None else (rotary[0][:1], rotary[1][:1]),
            )
        )

    with ExitStack() as stack:
        for block in model.anatomy.blocks:
            stack.callback(block.attn.register_forward_pre_hook(hook, with_kwargs=True).remove)
        yield found
