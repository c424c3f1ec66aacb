"""Cards of latents: where each is most active in a text, how often it is, and which logits it moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mibench.artifacts.dictionaries.latent_cards import Card, Deck, Snippet, Token
from mibench.core.errors import UsageError
from mibench.engine.activations.store import BlockBatch, StoredActivations, StoreRequest, open_store
from mibench.engine.dictionaries.coder import Coder
from mibench.tasks.corpora.blocks import TokenBlocks
from mibench.tracks.sae.logit_effects import Decode, logit_effects, pieces

Ints = NDArray[np.int64]

_CHUNK = 2**24
"""Latents times tokens that exist at a time."""


@dataclass(frozen=True)
class CardSettings:
    """Which latents, and how much of each.

    Attributes:
        latents: How many.
        active: Share of them that are the most active ones; the others are drawn from those that are alive.
        snippets: Texts of a latent.
        window: Tokens of context on either side.
        effects: Tokens of either end of the logit effects.
        seed: Of the draw.
    """

    latents: int = 40
    active: float = 0.5
    snippets: int = 8
    window: int = 10
    effects: int = 10
    seed: int = 0


@dataclass(frozen=True)
class _Sums:
    """What one pass over a text counts of all latents.

    Attributes:
        active: Tokens on which each is not 0 ``[latents]``.
        total: Sum of its activations ``[latents]``.
        best: Largest activation of its best contexts ``[snippets, latents]``, largest first; −inf: there is none.
        context: Numbers of these contexts ``[snippets, latents]``.
    """

    active: Tensor
    total: Tensor
    best: Tensor
    context: Tensor


def collect(
    coder: Coder, request: StoreRequest, decode: Decode, settings: CardSettings, facts: Mapping[str, str] | None = None
) -> Deck:
    """Return cards of some latents: half of them the most active ones, half drawn from the others that are alive.

    Two runs of the model: over the whole text for the numbers of every latent and its best contexts, then over the
    best contexts of the chosen latents for the activations of the tokens around. Dead latents get no card; their
    share is told.

    Args:
        coder: The dictionary, ready to compute.
        request: The model, the text and the place.
        decode: Ids to text.
        settings: Which latents, and how much of each.
        facts: What is known besides, by name.

    Raises:
        UsageError: A number is below 1, or a share not from 0 to 1.
        MibenchError: The text cannot be used with this model.
    """
    _check(settings)
    with torch.no_grad():
        sums = _count(coder, open_store(request), settings.snippets)
        chosen = _choose(sums, settings)
        effects = logit_effects(coder, request.model, sorted(chosen), decode, settings.effects)
        snippets = _snippets(coder, request, sums, sorted(chosen), (decode, settings.window))
    active, total = sums.active.cpu().numpy(), sums.total.cpu().numpy()
    tokens = request.blocks.n_scored
    cards = [
        Card(
            latent=latent,
            chosen=why,
            density=float(active[latent] / tokens),
            mean=float(total[latent] / active[latent]),
            largest=float(sums.best[0, latent]),
            snippets=tuple(snippets[latent]),
            raised=effects[latent][0] if latent in effects else (),
            lowered=effects[latent][1] if latent in effects else (),
        )
        for latent, why in chosen.items()
    ]
    return Deck(tuple(cards), active / tokens, tokens, float(active.sum() / tokens), dict(facts or {}))


def _check(settings: CardSettings) -> None:
    counts = {name: getattr(settings, name) for name in ("latents", "snippets", "window", "effects")}
    for name, count in counts.items():
        if count < 1:
            raise UsageError(f"{count} {name} cannot be shown.", why="It is below 1.", do="Give 1 or more.")
    if not 0 <= settings.active <= 1 or settings.seed < 0:
        why = f"The share of most active ones is {settings.active}, the seed {settings.seed}."
        raise UsageError("Latents cannot be chosen so.", why=why, do="Give a share from 0 to 1, and a seed from 0.")


def _latents(coder: Coder, batch: BlockBatch) -> Tensor:
    """Latents ``[batch, context, latents]``; 0 where a token does not count."""
    return coder.encode(batch.inputs) * batch.scored[..., None]


def _count(coder: Coder, activations: StoredActivations, snippets: int) -> _Sums:
    """Sum over the text, and keep each latent's best contexts; of equals, the first."""
    device, n = coder.decoder.device, coder.d_sae
    active = torch.zeros(n, dtype=torch.int64, device=device)
    total = torch.zeros(n, dtype=torch.float64, device=device)
    best = torch.full((snippets, n), -torch.inf, dtype=coder.decoder.dtype, device=device)
    context = torch.full((snippets, n), -1, dtype=torch.int64, device=device)
    step = max(1, _CHUNK // (n * activations.request.blocks.context))
    most = max(1, activations.request.batch_tokens // activations.request.blocks.context)
    for batch in activations.passes(min(step, most)):
        found = _latents(coder, batch)
        fires = found != 0
        active += fires.sum((0, 1))
        total += found.sum((0, 1), dtype=torch.float64)
        highest = found.masked_fill(~fires, -torch.inf).amax(1)
        rows = torch.arange(batch.rows.start, batch.rows.stop, device=device)[:, None].expand(-1, n)
        values, order = torch.cat([best, highest]).sort(dim=0, descending=True, stable=True)
        best, context = values[:snippets], torch.cat([context, rows]).gather(0, order[:snippets])
    return _Sums(active, total, best, context)


def _choose(sums: _Sums, settings: CardSettings) -> dict[int, str]:
    """Latents to show, with the reason: the most active ones first, then those that were drawn, by number."""
    active = sums.active.cpu().numpy()
    order = np.lexsort((np.arange(len(active)), -active))
    alive = order[active[order] > 0]
    first = alive[: round(settings.latents * settings.active)]
    others = np.sort(alive[len(first) :])
    generator = np.random.default_rng(settings.seed)
    drawn = generator.choice(others, min(settings.latents - len(first), len(others)), replace=False)
    return {int(one): "most active" for one in first} | {int(one): "random" for one in np.sort(drawn)}


def _snippets(
    coder: Coder, request: StoreRequest, sums: _Sums, chosen: Sequence[int], shown: tuple[Decode, int]
) -> dict[int, list[Snippet]]:
    """Texts of each chosen latent, most active first; the model is run on their contexts again."""
    if not chosen:
        return {}
    wanted = _wanted(sums, chosen)
    rows = np.unique([row for own in wanted.values() for row in own])
    blocks = _some(request.blocks, rows)
    again = open_store(replace(request, blocks=blocks, folder=None))
    place = torch.tensor(list(chosen), device=coder.decoder.device)
    values: dict[int, NDArray[Any]] = {}
    for batch in again.passes(1):
        found = _latents(coder, batch)[0].index_select(-1, place)
        values[int(rows[batch.rows.start])] = found.to("cpu", torch.float64).numpy()
    return {
        latent: [_snippet(request.blocks, row, values[row][:, index], shown) for row in wanted[latent] if row in values]
        for index, latent in enumerate(chosen)
    }


def _wanted(sums: _Sums, chosen: Sequence[int]) -> dict[int, list[int]]:
    """Contexts of each chosen latent."""
    best, context = sums.best.cpu(), sums.context.cpu()
    return {
        latent: [int(row) for row, value in zip(context[:, latent], best[:, latent], strict=True) if value > -torch.inf]
        for latent in chosen
    }


def _some(blocks: TokenBlocks, rows: Ints) -> TokenBlocks:
    return replace(blocks, ids=blocks.ids[rows], scored=blocks.scored[rows], document=blocks.document[rows])


def _snippet(blocks: TokenBlocks, row: int, values: NDArray[Any], shown: tuple[Decode, int]) -> Snippet:
    """The tokens around the peak of a context ``[context]``, as far as they are of its document."""
    decode, window = shown
    scored = blocks.scored[row]
    peak = int(np.where(scored & (values != 0), values, -np.inf).argmax())
    start, stop = max(0, peak - window), min(blocks.context, peak + window + 1)
    same = np.flatnonzero(blocks.document[row] != blocks.document[row, peak])
    start = max([start, *(int(place) + 1 for place in same if place < peak)])
    stop = min([stop, *(int(place) for place in same if place > peak)])
    texts = pieces(decode, [int(token) for token in blocks.ids[row, start:stop]])
    tokens = tuple(
        Token(text, float(values[place]) if scored[place] else None)
        for text, place in zip(texts, range(start, stop), strict=True)
    )
    return Snippet(tokens, peak - start, row)
