"""A program: a small vocabulary, a causal model, and prompts that are drawn from a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from mibench.core.errors import DataError
from mibench.tasks.causal.model import CausalModel
from mibench.tasks.checker import forced
from mibench.tasks.encode import TextEncoder
from mibench.tasks.interchange import InterchangeRow, Setting
from mibench.tasks.pairs import Pair
from mibench.tasks.positions import Position
from mibench.tasks.task import SPLITS, LeftOut, Source
from mibench.tasks.variable_parts import Parts, Training

BOS = "<s>"
"""Begins every prompt, and is the first word of every vocabulary."""
ROWS = {"train": 2000, "validation": 500, "test": 500}
"""Rows of a split, of each counterfactual set."""
_SHARES = ("train",) * 8 + ("validation", "test")
_MAX_DRAWS = 200_000
FOREIGN = LeftOut("a tokenizer that splits the program's words")

Change = Callable[[Random, Setting], Setting]
"""From a drawn setting to the setting of its counterfactual."""


@dataclass(frozen=True)
class Program:
    """What a small model with a known mechanism is to compute.

    Attributes:
        name: Name of its task and, with more after it, of its models.
        words: The vocabulary, ``<s>`` first; a prompt is words with one space between them.
        causal: Says the answer to every setting, a word, and what every interchange should do.
        draw: Draws a setting.
        say: Turns a setting into its prompt.
        sets: Counterfactual sets by name; the first is that of the circuit task.
        positions: Where variables can be looked for.
        variables: Variables of the causal model that live somewhere in the model.
        sizes: Features of a variable's subspace, as in `Parts`.
    """

    name: str
    words: tuple[str, ...]
    causal: CausalModel
    draw: Callable[[Random], Setting]
    say: Callable[[Setting], str]
    sets: Mapping[str, Change]
    positions: tuple[Position, ...]
    variables: tuple[str, ...]
    sizes: Mapping[str, int | str] = field(default_factory=dict)

    def answer(self, setting: Setting) -> str:
        """Return the word that answers a setting's prompt."""
        return str(self.causal.run(setting)[self.causal.output])

    def rows(self, split: str, name: str) -> Iterator[tuple[Setting, Setting]]:
        """Yield settings and their counterfactuals, of one set; no base prompt is in two splits.

        Raises:
            DataError: The program has too few different prompts.
        """
        random = Random(f"{self.name} {split} {name}")  # noqa: S311  draws prompts, not secrets
        change = self.sets[name]
        seen: set[str] = set()
        for _ in range(_MAX_DRAWS):
            if len(seen) == ROWS[split]:
                return
            base = self.draw(random)
            prompt = self.say(base)
            if split_of(prompt) != split or prompt in seen:
                continue
            seen.add(prompt)
            yield base, change(random, base)
        raise DataError(
            f"'{self.name}' has too few prompts.",
            why=f"{_MAX_DRAWS} draws gave {len(seen)} different ones for '{split}', not {ROWS[split]}.",
            do="Give the program more words or positions.",
        )

    def pairs(self, name: str) -> Source:
        """Return the source of a circuit task: the rows of one set whose answer the counterfactual changes."""

        def source(split: str, encoder: TextEncoder | None) -> Iterator[Pair | LeftOut]:
            for number, (base, other) in enumerate(self.rows(split, name)):
                correct, incorrect = self.answer(base), self.answer(other)
                if _splits_words(self.say(base), encoder):
                    yield FOREIGN
                elif correct != incorrect:
                    yield Pair(str(number), self.say(base), self.say(other), f" {correct}", f" {incorrect}")

        return source

    def parts(self, training: Training | None = None) -> Parts:
        """Return the parts of a variable task: all sets, judged by the one word after the prompt."""

        def rows(split: str, encoder: TextEncoder | None) -> Iterator[InterchangeRow | LeftOut]:
            for name in self.sets:
                for number, (base, other) in enumerate(self.rows(split, name)):
                    prompt = self.say(base)
                    row = InterchangeRow(str(number), name, base, other, prompt, self.say(other))
                    yield FOREIGN if _splits_words(prompt, encoder) else row

        return Parts(
            causal=self.causal,
            sets=tuple(self.sets),
            positions=self.positions,
            checker=forced(_spaced),
            rows=rows,
            sizes=self.sizes,
            training=training or Training(epochs=8, batch=64, lr=1e-2),
        )


def split_of(prompt: str) -> str:
    """Return the split that a prompt belongs to, by its hash: eight tenths train, a tenth each of the others."""
    split = _SHARES[int(hashlib.sha256(prompt.encode()).hexdigest(), 16) % len(_SHARES)]
    return split if split in SPLITS else SPLITS[0]


def _splits_words(prompt: str, encoder: TextEncoder | None) -> bool:
    """Whether a tokenizer is not that of the program's models, which know words."""
    return encoder is not None and len(encoder.encode(prompt)) != len(prompt.split())


def _spaced(output: Any) -> tuple[str, ...]:
    return (f" {output}",)
