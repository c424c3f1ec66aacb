"""From rows of interchange interventions to token ids, labelled for one variable of the causal model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mibench.core.errors import DataError
from mibench.tasks.encode import OffsetEncoder
from mibench.tasks.interchange import EncodedInterchange, Ids, InterchangeRow, LinearTarget, Setting
from mibench.tasks.positions import Position, located
from mibench.tasks.task import LeftOut

if TYPE_CHECKING:
    from mibench.tasks.variable_task import VariableTask


class Remembering:
    """A tokenizer that remembers the texts of the last rows: a row asks for each several times."""

    def __init__(self, inner: OffsetEncoder) -> None:
        self.bos_id = inner.bos_id
        self.encode = lru_cache(256)(inner.encode)
        self.offsets = lru_cache(256)(inner.offsets)


class _UnusableRowError(Exception):
    """A row cannot be used; the message says why."""


@dataclass(frozen=True)
class RowEncoder:
    """Encodes the rows of one task, for one variable and one tokenizer.

    Attributes:
        task: Whose rows they are.
        variable: One of its variables, or several joined by ``+``.
        positions: Selectors that a row must have.
        encoder: The tokenizer.
        vocab: Rows of the model's embedding.
    """

    task: VariableTask
    variable: str
    positions: tuple[Position, ...]
    encoder: OffsetEncoder
    vocab: int

    def __call__(self, row: InterchangeRow) -> EncodedInterchange | LeftOut:
        """Return the row as token ids, or why it cannot be used.

        Raises:
            DataError: A token id is outside the vocabulary, or the causal model does not fit the row.
        """
        try:
            return self._encoded(row)
        except _UnusableRowError as why:
            return LeftOut(str(why))

    def _encoded(self, row: InterchangeRow) -> EncodedInterchange:
        causal = self.task.causal
        base, source = causal.run(row.base), causal.run(row.source)
        swapped = causal.interchange_on(self.variable, row.base, row.source)
        output, base_output, source_output = (one[causal.output] for one in (swapped, base, source))
        base_positions, source_positions = self._positions(row)
        accepted, base_accepted = (self._asked(row.base_prompt, one) for one in (output, base_output))
        return EncodedInterchange(
            id=row.id,
            set=row.set,
            base=self._prompt(row.base_prompt),
            source=self._prompt(row.source_prompt),
            base_positions=base_positions,
            source_positions=source_positions,
            accepted=accepted,
            base_accepted=base_accepted,
            source_accepted=self._accepted(row.source_prompt, source_output),
            cause=accepted != base_accepted,
            expected=output,
            base_expected=base_output,
            source_expected=source_output,
            base_value=self._value(base),
            source_value=self._value(source),
            target=self._target(row, swapped),
            group=dict(self.task.parts.group(row)),
        )

    def _prompt(self, prompt: str) -> Ids:
        bos = self.encoder.bos_id
        return self._known((*([] if bos is None else [bos]), *self.encoder.encode(prompt)))

    def _asked(self, prompt: str, output: Any) -> tuple[Ids, ...]:
        accepted = self._accepted(prompt, output)
        if not accepted:
            raise _UnusableRowError("the interchange has no answer that can be written")
        return accepted

    def _accepted(self, prompt: str, output: Any) -> tuple[Ids, ...]:
        """Return the answers as tokens after ``prompt``; the first must be writable, others are dropped if not."""
        answers = self.task.parts.checker.answers(output)
        found = [self._after(prompt, answer) for answer in answers]
        if found and found[0] is None:
            raise _UnusableRowError("an answer that does not follow its prompt as tokens of its own")
        return tuple(dict.fromkeys(ids for ids in found if ids is not None))

    def _after(self, prompt: str, answer: str) -> Ids | None:
        """Return the tokens that a model writes for ``answer``; None where they would be joined to the prompt's."""
        before, ids = list(self.encoder.encode(prompt)), list(self.encoder.encode(answer))
        if not ids or list(self.encoder.encode(prompt + answer)) != [*before, *ids]:
            return None
        return self._known(tuple(ids))

    def _positions(self, row: InterchangeRow) -> tuple[Mapping[str, Ids], Mapping[str, Ids]]:
        base, source = {}, {}
        for position in self.positions:
            name = position.name
            base[name] = located(position, row.base, row.base_prompt, self.encoder)
            source[name] = located(position, row.source, row.source_prompt, self.encoder)
            if not base[name] or not source[name]:
                raise _UnusableRowError(f"no position '{name}'")
            if len(base[name]) != len(source[name]):
                raise _UnusableRowError(f"position '{name}' has another number of tokens in the source")
        return base, source

    def _target(self, row: InterchangeRow, swapped: Setting) -> LinearTarget | None:
        linear = self.task.parts.linear
        if linear is None:
            return None
        first, second = (self._after(row.base_prompt, text) for text in linear.tokens(row))
        if first is None or second is None:
            raise _UnusableRowError("an answer that does not follow its prompt as tokens of its own")
        if first[0] == second[0]:
            raise _UnusableRowError("answers that begin with the same token")
        everything = self.task.causal.interchange(row.base, dict.fromkeys(self.task.variables, row.source))
        return LinearTarget((first[0], second[0]), linear.signs(swapped), linear.signs(everything))

    def _value(self, setting: Setting) -> str:
        return "+".join(str(setting[name]) for name in self.task.parts_of(self.variable))

    def _known(self, ids: Ids) -> Ids:
        for token in ids:
            if not 0 <= token < self.vocab:
                raise DataError(
                    f"Task '{self.task.name}' has token id {token}.",
                    why=f"The model's vocabulary ends at {self.vocab - 1}.",
                    do="Use the tokenizer that belongs to the model.",
                )
        return tuple(int(token) for token in ids)
