"""Activations of plain runs at sites, one pass for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from mibench.core.errors import DataError
from mibench.core.sites import Component, Site
from mibench.engine.interchange.batches import Shares, by_length, padded
from mibench.engine.interchange.options import InterchangeOptions
from mibench.engine.interchange.plans import check_site
from mibench.engine.interchange.reading import Place, reading
from mibench.engine.interchange.tokens import Tokens
from mibench.engine.model import LanguageModel
from mibench.tasks.interchange import Ids

_Key = tuple[Place, str]


class Activations:
    """Activations of prompts at sites; what was read once is kept.

    Args:
        model: The model.
        prompts: Their token ids.
        tokens: From the name of a position, its tokens in them.
        options: How many run at once.
        shares: Counts passes.
    """

    def __init__(
        self,
        model: LanguageModel,
        prompts: Sequence[Ids],
        tokens: Callable[[str], Tokens],
        options: InterchangeOptions,
        shares: Shares,
    ) -> None:
        self._model, self._prompts, self._tokens = model, prompts, tokens
        self._options, self._shares = options, shares
        self._kept: dict[_Key, Tensor] = {}

    def need(self, sites: Sequence[Site]) -> None:
        """Read what is not yet known of ``sites``: all of it in one pass over the prompts."""
        for site in sites:
            check_site(self._model, site)
        missing = {(Place.of(site), site.position) for site in sites} - self._kept.keys()
        if not missing:
            return
        tokens = {position: self._tokens(position) for _, position in missing}
        found: dict[_Key, Tensor] = {}
        for rows in by_length([len(ids) for ids in self._prompts], self._options):
            self._read(rows, sorted(missing), tokens, found)
        self._kept.update(found)

    def flat(self, site: Site) -> Tensor:
        """Activations at the tokens of all rows, one after another, ``[tokens, width]``, in the accumulating type."""
        return self._of(site).to(self._model.device, self._model.accumulate)

    def at(self, site: Site, rows: Sequence[int]) -> Tensor:
        """Activations of rows whose position has equally many tokens, ``[rows, n_pos, width]``."""
        whole = self._of(site)
        numbers = self._tokens(site.position).numbers(rows).to(whole.device)
        return whole[numbers].to(self._model.device, self._model.accumulate)

    def stacked(self, site: Site) -> Tensor:
        """Activations of all rows, ``[rows, n_pos, width]``.

        Raises:
            DataError: The position has more tokens in some rows than in others.
        """
        counts = set(self._tokens(site.position).counts)
        if len(counts) > 1:
            raise DataError(
                f"Position '{site.position}' has {min(counts)} to {max(counts)} tokens.",
                why="Activations of all rows in one tensor need equally many in each.",
                do="Choose rows or a position with equally many tokens; interventions do not need it.",
            )
        return self.at(site, range(len(self._prompts)))

    def _of(self, site: Site) -> Tensor:
        self.need([site])
        whole = self._kept[Place.of(site), site.position]
        if site.component is not Component.HEAD or site.head is None:
            return whole
        width = self._model.anatomy.head_dim
        return whole[:, site.head * width : (site.head + 1) * width]

    def _read(self, rows: list[int], keys: list[_Key], tokens: Mapping[str, Tokens], found: dict[_Key, Tensor]) -> None:
        model = self._model
        picks = {name: _pick(one, rows, model.device) for name, one in tokens.items()}

        def reader(key: _Key) -> Callable[[Tensor], None]:
            batch, index, numbers = picks[key[1]]

            def read(value: Tensor) -> None:
                if key not in found:
                    found[key] = value.new_empty(tokens[key[1]].total, value.shape[-1])
                at = value.device
                found[key][numbers.to(at)] = value[batch.to(at), index.to(at)]

            return read

        ids = padded([self._prompts[row] for row in rows], model.device)
        with torch.no_grad(), reading(model, [(key[0], reader(key)) for key in keys]):
            model.hf.base_model(input_ids=ids, use_cache=False)
        self._shares.forward(len(rows))


def _pick(tokens: Tokens, rows: list[int], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Of the tokens of ``rows``: place in the batch, index in the prompt, number."""
    batch = [place for place, row in enumerate(rows) for _ in tokens.of[row]]
    index = [token for row in rows for token in tokens.of[row]]
    numbers = [tokens.starts[row] + place for row in rows for place in range(tokens.counts[row])]
    made = torch.tensor([batch, index, numbers], device=device)
    return made[0], made[1], made[2]
