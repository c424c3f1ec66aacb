"""Generate the IOI set: ``python -m mibench.tasks.ioi_generate --out data/ioi``."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mibench.core.files import atomic_write
from mibench.core.hashing import canonical_json
from mibench.tasks.ioi_words import NAMES, OBJECTS, PLACES, TEMPLATES

SEED = 20260
SIZES = {"train": 1000, "validation": 500, "test": 500}
_BUCKETS = ("train", "train", "validation", "test")


class Draws:
    """A stream of numbers fixed by its key on every machine and Python version: sha256 of key and counter."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.counter = 0

    def below(self, bound: int) -> int:
        """Return the next number from 0 to ``bound - 1``; the bias of the remainder is below 2⁻⁵⁰."""
        self.counter += 1
        block = hashlib.sha256(f"{self.key}/{self.counter}".encode()).digest()
        return int.from_bytes(block[:8], "big") % bound

    def distinct(self, items: Sequence[str], count: int) -> list[str]:
        """Return ``count`` different items."""
        left = list(items)
        return [left.pop(self.below(len(left))) for _ in range(count)]


@dataclass(frozen=True)
class Scene:
    """What one row is made of.

    Attributes:
        template: Sentence with slots.
        names: Subject, indirect object, random_a, random_b, random_c: five different names.
        place: Where it happens.
        thing: What is given.
        subject_first: Whether the first clause names the subject before the indirect object.
    """

    template: str
    names: tuple[str, ...]
    place: str
    thing: str
    subject_first: bool

    @property
    def split(self) -> str:
        """The split it belongs to: all sentences about the same two names, place and object share one."""
        block = hashlib.sha256(canonical_json([sorted(self.names[:2]), self.place, self.thing])).digest()
        return _BUCKETS[block[0] % len(_BUCKETS)]

    def sentence(self, people: Sequence[str], *, flip_first: bool = False, third: str | None = None) -> dict[str, Any]:
        """Return prompt, choices and answerKey.

        Args:
            people: Subject and indirect object.
            flip_first: Swap the two names of the first clause.
            third: The name in the second clause; None for the subject.

        The choices are the two names in the order of the first clause; the answer is the one that the second
        clause does not repeat, and null where it repeats neither.
        """
        subject, other = people
        choices = [subject, other] if self.subject_first != flip_first else [other, subject]
        repeated = subject if third is None else third
        prompt = self.template.format(
            name_A=choices[0], name_B=choices[1], name_C=repeated, place=self.place, object=self.thing
        )
        answer = 1 - choices.index(repeated) if repeated in choices else None
        return {"prompt": prompt, "choices": choices, "answerKey": answer}

    def row(self) -> dict[str, Any]:
        """Return the row in the schema of mib-bench/ioi."""
        subject, other, random_a, random_b, random_c = self.names
        real, random = (subject, other), (random_a, random_b)
        keys = ("subject", "indirect_object", "random_a", "random_b", "random_c")
        metadata = dict(zip(keys, self.names, strict=True)) | {"place": self.place, "object": self.thing}
        return {
            "template": self.template,
            "metadata": metadata,
            **self.sentence(real),
            "abc_counterfactual": self.sentence(real, third=random_c),
            "random_names_counterfactual": self.sentence(random),
            "s1_io_flip_counterfactual": self.sentence(real, flip_first=True),
            "s2_io_flip_counterfactual": self.sentence(real, third=other),
            "s1_ioi_flip_s2_ioi_flip_counterfactual": self.sentence(real, flip_first=True, third=other),
            "random_names_s1_ioi_flip_counterfactual": self.sentence(random, flip_first=True),
            "random_names_s2_ioi_flip_counterfactual": self.sentence(random, third=random_b),
            "random_names_s1_ioi_flip_s2_ioi_flip_counterfactual": self.sentence(
                random, flip_first=True, third=random_b
            ),
        }


def generate(split: str, n: int, seed: int = SEED) -> list[dict[str, Any]]:
    """Return the first ``n`` rows of a split; a longer run begins with the same rows.

    Orders alternate, so every even head of a split has as many sentences that name the subject first as not.
    A scene is kept only in the split that its hash names: prompts and their flips never cross splits.
    """
    draws = Draws(f"mibench-ioi/{seed}/{split}")
    rows: dict[str, dict[str, Any]] = {}
    while len(rows) < n:
        scene = _scene(draws, subject_first=len(rows) % 2 == 0)
        if scene.split == split:
            row = scene.row()
            rows.setdefault(row["prompt"], row)
    return list(rows.values())


def _scene(draws: Draws, *, subject_first: bool) -> Scene:
    return Scene(
        template=TEMPLATES[draws.below(len(TEMPLATES))],
        names=tuple(draws.distinct(NAMES, 5)),
        place=PLACES[draws.below(len(PLACES))],
        thing=OBJECTS[draws.below(len(OBJECTS))],
        subject_first=subject_first,
    )


def to_jsonl(rows: Sequence[dict[str, Any]]) -> bytes:
    """Return the rows as compact JSON lines, keys in their order."""
    return b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows)


def write(folder: Path) -> None:
    """Write every split and ``digests.json`` to ``folder``."""
    digests = {}
    for split, size in SIZES.items():
        content = to_jsonl(generate(split, size))
        atomic_write(folder / f"{split}.jsonl", content)
        digests[f"{split}.jsonl"] = hashlib.sha256(content).hexdigest()
    summary = {"seed": SEED, "rows": SIZES, "sha256": digests}
    atomic_write(folder / "digests.json", json.dumps(summary, indent=2) + "\n")


def main() -> None:
    """Write the set to the folder that the command line names."""
    parser = argparse.ArgumentParser(description="Write the generated IOI set.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the splits and digests.json")
    write(parser.parse_args().out)


if __name__ == "__main__":
    main()
