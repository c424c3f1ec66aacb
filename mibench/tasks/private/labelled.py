"""Private labelled texts: what the public sources do not say of the templates and words of their test blocks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from mibench.core.errors import DataError
from mibench.tasks.private.keys import SPLITS, SplitName, shuffled, side
from mibench.tasks.probing.generate import MAKERS
from mibench.tasks.probing.settings import ProbingSettings
from mibench.tasks.probing.shipped import FOLDER
from mibench.tasks.probing.splits import split_of_groups
from mibench.tasks.shipped import data_folder, read_rows

JsonRow = dict[str, Any]
Values = tuple[str, ...]


def private_texts(source: str, salt: bytes) -> dict[SplitName, list[JsonRow]]:
    """Return the rows of a source for both private splits.

    Texts of the test blocks are replaced, one by one, by others with the same values; all others stay, so that train
    and validation are the public ones. The new texts mix templates and words of different test blocks, so no template
    or word of them is in train; a keyed hash says which split a text belongs to, and in which order they are taken.
    Their number is that of the public texts.

    Raises:
        DataError: The source has too few other texts, or its file was changed.
    """
    public = [row for _, row in read_rows(data_folder(FOLDER), f"{source}.jsonl")]
    groups = split_of_groups([row["group"] for row in public], source, ProbingSettings().split_seed)
    held = sorted(group for group, split in groups.items() if split == "test")
    left = _others(source, held, {row["text"] for row in public})
    return {split: _replaced(public, held, _of_side(left, split, salt), source) for split in SPLITS}


def _others(source: str, held: Sequence[str], public: set[str]) -> dict[Values, list[str]]:
    """Every text of the test blocks that is not public, by its values."""
    make, _ = MAKERS[source]
    found: dict[Values, dict[str, None]] = defaultdict(dict)
    for one in make(tuple(int(group.removeprefix(f"{source}-")) for group in held)):
        if one.text not in public:
            found[tuple(one.values.values())][one.text] = None
    return {values: list(texts) for values, texts in found.items()}


def _of_side(left: Mapping[Values, Sequence[str]], split: SplitName, salt: bytes) -> dict[Values, list[str]]:
    return {
        values: shuffled(salt, [text for text in texts if side(salt, text) == split], str)
        for values, texts in left.items()
    }


def _replaced(
    public: Sequence[JsonRow], held: Sequence[str], texts: Mapping[Values, list[str]], source: str
) -> list[JsonRow]:
    rows: list[JsonRow] = []
    used: Counter[Values] = Counter()
    for row in public:
        values = tuple(str(value) for name, value in row.items() if name not in {"text", "group"})
        if row["group"] not in held:
            rows.append(row)
            continue
        place = used[values]
        used[values] += 1
        if place >= len(texts.get(values, ())):
            raise DataError(
                f"The labelled texts '{source}' cannot be private.",
                why=f"Of {' '.join(values)} there are {place} that are not public, and more are needed.",
                do="Leave the tasks out that read them.",
            )
        rows.append({**row, "text": texts[values][place]})
    return rows
