"""Generate the labelled texts: ``python -m mibench.tasks.probing.generate --out data/sae-probing``."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mibench.core.files import atomic_write
from mibench.tasks.generate import to_jsonl
from mibench.tasks.probing import bios, cities, code, grammar, languages, nouns, people, reviews
from mibench.tasks.probing.blocks import BLOCKS, Blocks, first_of_each
from mibench.tasks.probing.labelled import CrossedText

MAKERS: dict[str, tuple[Callable[[Blocks], Iterator[CrossedText]], int]] = {
    "bios": (bios.texts, bios.COUNT),
    "cities": (cities.texts, cities.COUNT),
    "code": (code.texts, code.COUNT),
    "grammar": (grammar.texts, grammar.COUNT),
    "languages": (languages.texts, languages.COUNT),
    "nouns": (nouns.texts, nouns.COUNT),
    "people": (people.texts, people.COUNT),
    "reviews": (reviews.texts, reviews.COUNT),
}
"""All texts of a block, and how many of each combination of values are kept; by source."""


def rows(source: str) -> list[dict[str, Any]]:
    """Return the rows of a source, block by block."""
    texts, count = MAKERS[source]
    return [
        {"text": one.text, "group": one.group, **one.values}
        for block in range(BLOCKS)
        for one in first_of_each(texts(block), count)
    ]


def write(folder: Path) -> None:
    """Write one file a source, and ``digests.json``."""
    sizes, digests = {}, {}
    for source in MAKERS:
        found = rows(source)
        content = to_jsonl(found)
        atomic_write(folder / f"{source}.jsonl", content)
        sizes[source], digests[f"{source}.jsonl"] = len(found), hashlib.sha256(content).hexdigest()
    atomic_write(folder / "digests.json", json.dumps({"rows": sizes, "sha256": digests}, indent=2) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the labelled texts.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the sources and digests.json")
    write(parser.parse_args().out)
