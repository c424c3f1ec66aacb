"""Pairs files: prompts with counterfactuals and the answers to compare, one JSON object a line."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from mibench.core.errors import DataError
from mibench.core.files import atomic_write, read_text

Metric = Literal["logit_diff", "prob_diff"]
Prompt = str | tuple[int, ...]
"""Text, or token ids."""
Answer = str | int | tuple[str | int, ...]
"""Text whose first token counts, a token id, or several of them."""

METRICS: tuple[str, ...] = get_args(Metric)
MAX_BYTES = 512 * 1024 * 1024
MAX_ROWS = 1_000_000
MAX_PROMPT = 1_000_000
"""Characters or token ids of one prompt."""
MAX_ANSWERS = 10_000
MAX_ID = 2**31 - 1
MAX_NAME = 200
_SHAPE = 'Write one object a line: {"clean": …, "counterfactual": …, "correct": …, "incorrect": …}.'


@dataclass(frozen=True)
class Pair:
    """One example: a prompt, its counterfactual, and the answers that the metric compares.

    Attributes:
        id: Name of the example, unique in its file.
        clean: The prompt, as text or as token ids.
        counterfactual: The prompt that changes the answer, of the same kind as ``clean``.
        correct: Answer to the clean prompt.
        incorrect: Answer it is compared with.
        metric: ``logit_diff``: logit of the one correct id less that of the one incorrect id.
            ``prob_diff``: summed probability of the correct ids less that of the incorrect ids.
    """

    id: str
    clean: Prompt
    counterfactual: Prompt
    correct: Answer
    incorrect: Answer
    metric: Metric = "logit_diff"

    def as_json(self) -> dict[str, Any]:
        """Return the pair as it stands in a pairs file; tuples become lists."""
        row: dict[str, Any] = {"id": self.id, "clean": self.clean, "counterfactual": self.counterfactual}
        row |= {"correct": self.correct, "incorrect": self.incorrect, "metric": self.metric}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in row.items()}


class _BadField(Exception):  # noqa: N818
    """A field that cannot be used; becomes a DataError with the file and the line."""

    def __init__(self, field: str, why: str, do: str) -> None:
        super().__init__(why)
        self.field, self.why, self.do = field, why, do


def read_pairs(path: Path | str, *, max_bytes: int = MAX_BYTES) -> list[Pair]:
    """Read a pairs file; a row without ``id`` is called by its zero-based line number.

    Keys other than the documented ones are ignored. Blank lines are skipped.

    Raises:
        UsageError: There is no such file.
        DataError: A line cannot be used; the error names the file, the line and the field.
    """
    pairs: list[Pair] = []
    lines_of: dict[str, int] = {}
    # Some editors put a byte order mark in front.
    text = read_text(path, max_bytes=max_bytes).removeprefix("\ufeff")
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        pair = _read_line(line, number, path)
        if pair.id in lines_of:
            why = f"Line {lines_of[pair.id]} has the id '{pair.id}' too."
            raise _error(path, number, _BadField("id", why, "Give every row its own id."))
        lines_of[pair.id] = number
        pairs.append(pair)
        if len(pairs) > MAX_ROWS:
            raise DataError(f"{path} is too long.", why=f"More than {MAX_ROWS} rows.", do="Split the file.")
    if not pairs:
        raise DataError(f"{path} has no pairs.", why="The file is empty.", do=_SHAPE)
    return pairs


def write_pairs(path: Path | str, pairs: Iterable[Pair], *, extras: Iterable[dict[str, Any]] | None = None) -> None:
    """Write a pairs file, whole or not at all.

    Args:
        path: The file to write.
        pairs: Its rows.
        extras: Further keys for each row, ``prompt`` for instance; readers ignore them.

    Raises:
        DataError: There is nothing to write.
        StoreError: The file cannot be written.
    """
    rows = [pair.as_json() for pair in pairs]
    if not rows:
        raise DataError(f"{path} was not written.", why="There are no pairs.", do="Choose another split or limit.")
    if extras is not None:
        rows = [extra | row for row, extra in zip(rows, extras, strict=True)]
    atomic_write(path, "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows))


def _error(path: Path | str, line: int, bad: _BadField) -> DataError:
    return DataError(f"{path}, line {line}: field '{bad.field}' cannot be used.", why=bad.why, do=bad.do)


def _read_line(line: str, number: int, path: Path | str) -> Pair:
    try:
        row = json.loads(line, object_pairs_hook=_no_duplicates, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}, line {number}: this is not JSON.", why=str(error), do=_SHAPE) from error
    except _BadField as bad:
        raise _error(path, number, bad) from bad
    if not isinstance(row, dict):
        raise DataError(f"{path}, line {number}: not an object.", why=f"It is {_kind(row)}.", do=_SHAPE)
    try:
        return _pair(row, default_id=str(number - 1))
    except _BadField as bad:
        raise _error(path, number, bad) from bad


def _pair(row: dict[str, Any], *, default_id: str) -> Pair:
    for key in ("clean", "counterfactual", "correct", "incorrect"):
        if key not in row:
            raise _BadField(key, "The key is missing.", _SHAPE)
    metric = row.get("metric", "logit_diff")
    if not isinstance(metric, str) or metric not in METRICS:
        raise _BadField("metric", f"It is {_shown(metric)}.", f"Write one of {', '.join(METRICS)}.")
    pair = Pair(
        id=_row_id(row.get("id", default_id)),
        clean=_prompt(row["clean"], "clean"),
        counterfactual=_prompt(row["counterfactual"], "counterfactual"),
        correct=_answer(row["correct"], "correct", metric),
        incorrect=_answer(row["incorrect"], "incorrect", metric),
        metric="prob_diff" if metric == "prob_diff" else "logit_diff",
    )
    _check_alike(pair)
    return pair


def _check_alike(pair: Pair) -> None:
    if isinstance(pair.clean, str) != isinstance(pair.counterfactual, str):
        why = "One of clean and counterfactual is text, the other token ids."
        raise _BadField("counterfactual", why, "Give both as text or both as token ids.")
    if isinstance(pair.clean, tuple) and len(pair.clean) != len(pair.counterfactual):
        why = f"clean has {len(pair.clean)} token ids, counterfactual {len(pair.counterfactual)}."
        raise _BadField("counterfactual", why, "Both need the same number of tokens.")


def _row_id(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME:
        raise _BadField("id", f"It is {_shown(value)}.", f"Write a string of 1 to {MAX_NAME} characters.")
    return _unicode(value, "id")


def _prompt(value: Any, field: str) -> Prompt:
    if isinstance(value, str | list) and not 0 < len(value) <= MAX_PROMPT:
        why = f"It has {len(value)} characters or ids."
        raise _BadField(field, why, f"A prompt has 1 to {MAX_PROMPT} of them.")
    if isinstance(value, str):
        return _unicode(value, field)
    if isinstance(value, list):
        return tuple(_token_id(item, field) for item in value)
    raise _BadField(field, f"It is {_kind(value)}.", "Write text or a list of token ids.")


def _answer(value: Any, field: str, metric: str) -> Answer:
    if not isinstance(value, list):
        return _one_answer(value, field)
    if not 0 < len(value) <= MAX_ANSWERS:
        raise _BadField(field, f"The list has {len(value)} answers.", f"Give 1 to {MAX_ANSWERS}.")
    if metric == "logit_diff" and len(value) > 1:
        why = f"logit_diff compares single tokens; the list has {len(value)}."
        raise _BadField(field, why, 'Give one answer, or add "metric": "prob_diff" to sum probabilities.')
    return tuple(_one_answer(item, field) for item in value)


def _one_answer(value: Any, field: str) -> str | int:
    if isinstance(value, str):
        if not 0 < len(value) <= MAX_PROMPT:
            raise _BadField(field, "The answer text is empty or too long.", "Write the answer's text.")
        return _unicode(value, field)
    if isinstance(value, int):
        return _token_id(value, field)
    raise _BadField(field, f"It holds {_kind(value)}.", "Write text, a token id, or a list of them.")


def _token_id(value: Any, field: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_ID:
        raise _BadField(field, f"{_shown(value)} is not a token id.", f"Token ids are integers from 0 to {MAX_ID}.")
    return value


def _unicode(value: str, field: str) -> str:
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise _BadField(field, "It holds half of a surrogate pair.", "Write the character itself, in UTF-8.")
    return value


def _no_duplicates(items: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(items)
    if len(row) < len(items):
        twice, _ = Counter(key for key, _ in items).most_common(1)[0]
        raise _BadField(_shown(twice), "The key stands twice in the object.", "Keep one of them.")
    return row


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is not a finite number")
    return value


def _kind(value: Any) -> str:
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), "null")


def _shown(value: Any) -> str:
    text = ascii(value) if isinstance(value, str | bool) else _kind(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e18:
        text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
