"""A model's answers to prompts of the test split, plain and with nodes or places swapped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice, pairwise
from pathlib import Path
from random import Random

import torch
from torch import Tensor

from mibench.core.errors import ModelError
from mibench.models.digest import read_config
from mibench.models.load import HFModel, load_hf
from mibench.models.tokenizer import TextTokenizer
from mibench.siit.alignment import place_of
from mibench.siit.circuit_pass import circuit_logits
from mibench.siit.examples import Reader
from mibench.siit.findings import Swaps
from mibench.siit.network import Network, Run, Sizes, Swap
from mibench.tasks.interchange import Setting
from mibench.tasks.positions import Position, located

Rows = Sequence[tuple[Setting, Setting]]
LIMIT = 500
_DROPPED = 3


@dataclass(frozen=True)
class Place:
    """Where something is swapped: at one word of every prompt.

    Attributes:
        position: Which word.
        layer: Block that the node belongs to, or after which the residual stream is swapped.
        node: A head or MLP; None: the whole residual stream.
    """

    position: Position
    layer: int
    node: str | None = None


@dataclass(frozen=True, eq=False)
class Probe:
    """A model and its prompts.

    Attributes:
        loaded: The model.
        reader: Its program and alignment.
        limit: Rows of each counterfactual set.
    """

    loaded: HFModel
    reader: Reader
    limit: int = LIMIT

    @classmethod
    def of(cls, folder: Path, reader: Reader, limit: int = LIMIT) -> Probe:
        """Load a model's folder.

        Raises:
            ModelError: It cannot be loaded, or has no tokenizer.
        """
        return cls(load_hf(str(folder)), reader, limit)

    def rows(self, name: str) -> Rows:
        """Rows of a counterfactual set."""
        return list(islice(self.reader.program.rows("test", name), self.limit))

    @cached_property
    def all_rows(self) -> Rows:
        """Rows of all sets, and as many of prompts that have nothing to do with each other."""
        rows = [row for name in self.reader.program.sets for row in self.rows(name)]
        return [*rows, *pairwise(base for base, _ in rows)]

    @cached_property
    def answers(self) -> Tensor:
        """Ids of the bases' answers, ``[rows]``."""
        return self.reader.answer_ids([self.reader.program.answer(base) for base, _ in self.all_rows])

    @cached_property
    def plain(self) -> Tensor:
        """Ids that the model answers to the bases, ``[rows]``."""
        return self._network.answer(self._bases).argmax(-1)

    def swapped(self, nodes: Iterable[str]) -> Tensor:
        """Its answers with nodes taken from the sources, at all positions, ``[rows]``."""
        return self._run(Swap(self._sources, self._each, self._chosen(nodes)))

    def swapped_at(self, place: Place) -> Tensor:
        """Its answers with one place taken from the sources, ``[rows]``."""
        to, since = self._tokens(place.position)
        if place.node is None:
            streams = [self._after(run, place.layer) for run in (self._bases, self._sources)]
            with torch.no_grad():
                stream = _moved(streams[1], since, streams[0], to)
                return self._network.finish(stream, place.layer + 1).argmax(-1)
        source = replace(
            self._sources,
            heads=[_moved(tensor, since, tensor, to) for tensor in self._sources.heads],
            mlp=[_moved(tensor, since, tensor, to) for tensor in self._sources.mlp],
        )
        positions = torch.zeros(self._ids.shape, dtype=torch.bool)
        positions[self._each, to] = True
        return self._run(Swap(source, self._each, self._chosen((place.node,)), positions))

    def swaps(self, key: str, place: Place | None = None) -> Swaps:
        """How often a variable's swap does what the causal model says.

        Args:
            key: Variable of the alignment.
            place: What is swapped for it; None: its nodes, at all positions.
        """
        found = self.swapped(self.reader.alignment.nodes[key]) if place is None else self.swapped_at(place)
        wanted = self._wanted(key)
        chosen = [number for number, answer in enumerate(wanted) if answer is not None]
        expected = self.reader.answer_ids([answer for answer in wanted if answer is not None])
        right, changing = found[chosen] == expected, expected != self.answers[chosen]
        return Swaps(share(right), share(right[changing]) if changing.any() else 0.0, len(chosen))

    def mixtures(self) -> float:
        """Share of right answers where all true edges but 1 to 3 carry the base's values, all others the source's.

        Right is what the causal model answers to that; where it has no answer, the row is left out.
        """
        alignment, random = self.reader.alignment, Random(f"{self.reader.program.name} mixtures")  # noqa: S311
        links = list(alignment.links)
        kept = [set(links) - set(random.sample(links, random.randint(1, _DROPPED))) for _ in self.all_rows]
        found = [alignment.mixed(some, *row) for some, row in zip(kept, self.all_rows, strict=True)]
        chosen = [number for number, answer in enumerate(found) if answer is not None]
        mask = torch.tensor([[link in some for link in alignment.flow_links] for some in kept])
        with torch.no_grad():
            logits = circuit_logits(self._network, alignment.flows, self._bases, self._sources, mask)
        expected = self.reader.answer_ids([str(found[number]) for number in chosen])
        return share(logits.argmax(-1)[chosen] == expected)

    def places(self) -> list[Place]:
        """All places: residual streams, and nodes of the circuit, at each position of the program."""
        positions = self.reader.program.positions
        layers = range(self.reader.alignment.graph.n_layers)
        streams = [Place(position, layer) for layer in layers for position in positions]
        circuit = self.reader.alignment.circuit
        nodes = [Place(position, place_of(node)[0], node) for node in circuit for position in positions]
        return [*nodes, *streams]

    @property
    def tokenizer(self) -> TextTokenizer:
        """The model's tokenizer.

        Raises:
            ModelError: It has none.
        """
        if self.loaded.tokenizer is None:
            raise ModelError(
                f"{self.loaded.folder} has no tokenizer.", why="Its words have no ids.", do="Copy the whole folder."
            )
        return self.loaded.tokenizer

    @cached_property
    def _network(self) -> Network:
        weights = {name: tensor.detach() for name, tensor in self.loaded.model.state_dict().items()}
        return Network(Sizes.of_config(read_config(self.loaded.folder)), weights)

    @cached_property
    def _ids(self) -> Tensor:
        return self.reader.ids([base for base, _ in self.all_rows])

    @cached_property
    def _bases(self) -> Run:
        with torch.no_grad():
            return self._network.run(self._ids)

    @cached_property
    def _sources(self) -> Run:
        with torch.no_grad():
            return self._network.run(self.reader.ids([source for _, source in self.all_rows]))

    @cached_property
    def _each(self) -> Tensor:
        return torch.arange(len(self.all_rows))

    @cached_property
    def _known(self) -> dict[str, list[str | None]]:
        return {}

    def _wanted(self, key: str) -> list[str | None]:
        """The causal model's answers to swaps of a variable."""
        if key not in self._known:
            self._known[key] = [self.reader.swapped(key, *row) for row in self.all_rows]
        return self._known[key]

    def _chosen(self, nodes: Iterable[str]) -> Tensor:
        return self.reader.alignment.places(nodes).expand(len(self.all_rows), -1, -1)

    def _run(self, swap: Swap) -> Tensor:
        with torch.no_grad():
            return self._network.answer(self._network.run(self._ids, swap)).argmax(-1)

    def _after(self, run: Run, layer: int) -> Tensor:
        return [*run.before_attn, run.final][layer + 1]

    def _tokens(self, position: Position) -> tuple[Tensor, Tensor]:
        """Index of the position's last token in each base and each source, ``[rows]``."""
        sides = [[self._token(position, row[side]) for row in self.all_rows] for side in (0, 1)]
        return torch.tensor(sides[0]), torch.tensor(sides[1])

    def _token(self, position: Position, setting: Setting) -> int:
        return located(position, setting, self.reader.program.say(setting), self.tokenizer)[-1]


def share(chosen: Tensor) -> float:
    """The share of true entries."""
    return float(chosen.double().mean().item())


def _moved(source: Tensor, since: Tensor, base: Tensor, to: Tensor) -> Tensor:
    """``base`` ``[rows, pos, …]`` with what ``source`` has at ``since`` put in at ``to``, ``[rows]`` indices."""
    found, each = base.clone(), torch.arange(len(base))
    found[each, to] = source[each, since]
    return found
