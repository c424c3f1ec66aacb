"""Prompts of a training step as token ids, with the answers to every kind of swap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

import torch
from torch import Tensor

from mibench.core.errors import DataError
from mibench.siit.alignment import Alignment, Link
from mibench.tasks.interchange import Setting
from mibench.tasks.known.program import BOS, Program, split_of

_CHANGED = 0.5
"""Share of pairs whose second prompt is of a counterfactual set, if of the train split; others share nothing."""
_WHOLE = 0.5
"""Share of rows in which all true edges are kept, and in the rest a random subset of the causal graph's; also of those
in which a variable's nodes are swapped at all positions, and in the rest at their own alone."""
_SINGLE, _ALL = 0.4, 0.3
"""Shares of rows in which one off-circuit node is swapped, and all of them; in the rest a random subset."""


@dataclass(frozen=True)
class Examples:
    """A step's prompts: the first half are bases, the second half their partners, in the same order.

    Attributes:
        settings: ``batch`` settings.
        ids: Token ids, BOS included, ``[batch, pos]``.
        answers: Id of each prompt's answer, ``[batch]``.
        variables: The variable that is taken from the partner, by row.
        swapped: Id of the causal model's answer after that, ``[batch]``.
        on: Nodes of the variable, bool ``[batch, n_layers, n_heads + 1]``.
        where: Positions at which they are swapped, bool ``[batch, pos]``.
        off: Off-circuit nodes that are swapped in the strict loss, likewise.
        kept: True edges that are kept in the edge loss, bool ``[batch, flows]``; the others carry the partner's values.
        mixed: Id of the causal model's answer to that, ``[batch]``.
    """

    settings: tuple[Setting, ...]
    ids: Tensor
    answers: Tensor
    variables: tuple[str, ...]
    swapped: Tensor
    on: Tensor
    where: Tensor
    off: Tensor
    kept: Tensor
    mixed: Tensor

    @property
    def partners(self) -> Tensor:
        """Row of each prompt's partner, ``[batch]``."""
        size = len(self.ids)
        return torch.arange(size).roll(size // 2)

    @property
    def strangers(self) -> Tensor:
        """Row of a prompt that has nothing to do with it, for each, ``[batch]``."""
        return torch.arange(len(self.ids)).roll(1)


@dataclass(frozen=True)
class Reader:
    """A program's prompts as ids.

    Attributes:
        program: The program.
        alignment: Which nodes hold its variables.
        at: Names of the positions at which nodes are to hold variables, for some of them; a swap there alone is to do
            what a swap at all positions does.
    """

    program: Program
    alignment: Alignment
    at: Mapping[str, str] = field(default_factory=dict)
    dropped: int | None = None

    def ids(self, settings: Sequence[Setting]) -> Tensor:
        """Token ids of prompts, BOS first, ``[batch, pos]``.

        Raises:
            DataError: A word is not in the vocabulary, or prompts differ in length.
        """
        table = {word: number for number, word in enumerate(self.program.words)}
        prompts = [[BOS, *self.program.say(setting).split(" ")] for setting in settings]
        strange = next((word for prompt in prompts for word in prompt if word not in table), None)
        if strange is not None:
            raise self._wrong(f"'{strange}' is not in its vocabulary", "Add the word.")
        if len({len(prompt) for prompt in prompts}) > 1:
            raise self._wrong("its prompts differ in length, and nodes are swapped at all positions", "Use one length.")
        return torch.tensor([[table[word] for word in prompt] for prompt in prompts])

    def answer_ids(self, answers: Sequence[str]) -> Tensor:
        """Ids of answers, ``[batch]``."""
        return torch.tensor([self.program.words.index(answer) for answer in answers])

    def swapped(self, variable: str, base: Setting, source: Setting) -> str | None:
        """The answer when a variable is taken from the source; None where the causal model has none."""
        causal = self.program.causal
        try:
            return str(causal.interchange_on(variable, base, source)[causal.output])
        except DataError:
            return None

    def step(self, seed: int, step: int, batch: int) -> Examples:
        """Draw a step's examples from the train split; the same for the same seed and step."""
        random = Random(f"{self.program.name} siit {seed} {step}")  # noqa: S311  draws prompts, not secrets
        bases = [self._drawn(random) for _ in range(batch // 2)]
        return self.examples(random, bases, [self._partner(random, base) for base in bases])

    def examples(self, random: Random, bases: Sequence[Setting], partners: Sequence[Setting]) -> Examples:
        """Make examples of pairs, the choice of variables and nodes drawn."""
        alignment = self.alignment
        settings, sources = (*bases, *partners), (*partners, *bases)
        chosen = [self._swapped(random, *pair) for pair in zip(settings, sources, strict=True)]
        variables, swapped = zip(*chosen, strict=True)
        kept, mixed = zip(*(self._mixed(random, *pair) for pair in zip(settings, sources, strict=True)), strict=True)
        places = {name: alignment.places(nodes) for name, nodes in alignment.nodes.items()}
        return Examples(
            settings=settings,
            ids=self.ids(settings),
            answers=self.answer_ids([self.program.answer(setting) for setting in settings]),
            variables=variables,
            swapped=self.answer_ids(swapped),
            on=torch.stack([places[variable] for variable in variables]),
            where=self._where(random, variables, settings),
            off=torch.stack([alignment.places(self._outside(random)) for _ in settings]),
            kept=torch.tensor([[link in links for link in alignment.flow_links] for links in kept]),
            mixed=self.answer_ids(mixed),
        )

    def _drawn(self, random: Random) -> Setting:
        while True:
            setting = self.program.draw(random)
            if self._trained(setting):
                return setting

    def _trained(self, setting: Setting) -> bool:
        return split_of(self.program.say(setting)) == "train"

    def _partner(self, random: Random, base: Setting) -> Setting:
        if random.random() < _CHANGED:
            other = self.program.sets[random.choice(tuple(self.program.sets))](random, base)
            # Each of the two is a base of the other, so neither may be a prompt of another split.
            if self._trained(other):
                return other
        return self._drawn(random)

    def _swapped(self, random: Random, base: Setting, source: Setting) -> tuple[str, str]:
        """A random variable, and the answer when it is taken from the source."""
        names = list(self.alignment.nodes)
        random.shuffle(names)
        for name in names:
            answer = self.swapped(name, base, source)
            if answer is not None:
                return name, answer
        raise self._wrong("no variable of a pair can be interchanged", "Correct its causal model.")

    def _where(self, random: Random, variables: Sequence[str], settings: Sequence[Setting]) -> Tensor:
        prompts = [f"{BOS} {self.program.say(setting)}" for setting in settings]
        found = torch.ones(len(prompts), len(prompts[0].split(" ")), dtype=torch.bool)
        positions = {position.name: position for position in self.program.positions}
        for row, (variable, prompt) in enumerate(zip(variables, prompts, strict=True)):
            if variable in self.at and random.random() >= _WHOLE:
                find = positions[self.at[variable]].find
                span = None if find is None else find(settings[row], prompt[len(BOS) + 1 :])
                found[row] = False
                found[row, -1 if span is None else prompt[: len(BOS) + 1 + span[0]].count(" ")] = True
        return found

    def _mixed(self, random: Random, base: Setting, source: Setting) -> tuple[list[Link], str]:
        """Links that are kept, and the answer when all others carry the source's values."""
        links = list(self.alignment.links)
        if random.random() >= _WHOLE:
            kept = self._kept(random, links)
            answer = self.alignment.mixed(kept, base, source)
            if answer is not None:
                return kept, str(answer)
        return links, self.program.answer(base)

    def _kept(self, random: Random, links: list[Link]) -> list[Link]:
        if self.dropped is None:
            return [link for link in links if random.random() < 0.5]
        left_out = random.sample(links, random.randint(1, self.dropped))
        return [link for link in links if link not in left_out]

    def _outside(self, random: Random) -> tuple[str, ...]:
        others, kind = self.alignment.others, random.random()
        if kind < _SINGLE:
            return (random.choice(others),)
        if kind < _SINGLE + _ALL:
            return others
        return tuple(random.sample(others, random.randint(1, len(others))))

    def _wrong(self, why: str, do: str) -> DataError:
        return DataError(f"The program '{self.program.name}' cannot be trained.", why=f"{why}.", do=do)
