"""What is found in a source: what is known of each artifact and where from, and what has to be asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mibench.artifacts.circuit import CircuitScores
from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.core.errors import MibenchError, UsageError
from mibench.core.specs import Level, Ranking, Track
from mibench.intake.failures import Failure

KEYS = ("task", "model", "level", "variable", "hook", "selection", "ranking")
"""What can be said of an artifact that does not say it."""
_VALUES: Mapping[str, tuple[str, ...]] = {
    "level": tuple(Level),
    "ranking": (*Ranking, "both"),
    "selection": ("top-n", "greedy", "pnr", "ilp", "pnr+ilp"),
}
Artifact = CircuitScores | Featurizers | Dictionary


@dataclass(frozen=True)
class Found:
    """Files that are one artifact.

    Attributes:
        layout: Name of the layout.
        place: Where it is, inside the source.
        paths: The file or folder; of nine circuits the files.
        rankings: Of circuits for the two rankings, the files of each, in place of ``paths``.
    """

    layout: str
    place: str
    paths: tuple[Path, ...]
    rankings: Mapping[Ranking, tuple[Path, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Said:
    """Something that is known of an artifact, and where from."""

    value: str
    source: str


@dataclass(frozen=True)
class Question:
    """Something that has to be said.

    Attributes:
        place: Of which artifact.
        flag: The option that says it, such as ``--model``.
        why: Why it is not known.
        choices: What it may be, as far as that is known.
    """

    place: str
    flag: str
    why: str
    choices: tuple[str, ...] = ()


@dataclass
class Item:
    """One artifact on its way into a submission.

    Attributes:
        found: Where it is.
        track: Its track.
        said: What is known of it, in the order in which it is shown.
        notes: What else is to be said.
        questions: What has to be asked.
        failures: What is wrong with it.
        entry: What the manifest says of it, once it is converted.
    """

    found: Found
    track: Track
    said: dict[str, Said] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    entry: dict[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where it is, inside the source."""
        return self.found.place

    def value(self, key: str) -> str | None:
        """What is known; None: nothing."""
        return self.said[key].value if key in self.said else None

    def ask(self, flag: str, why: str, choices: Iterable[str] = ()) -> None:
        """Note that something has to be said."""
        self.questions.append(Question(self.place, flag, why, tuple(choices)))

    def fail(self, error: MibenchError, base: Path) -> None:
        """Note an error, without the folder that the source lies in."""
        why = error.why.replace(f"{base}/", "")
        self.failures.append(Failure(f"{self.place} cannot be imported.", why, error.do, self.place))

    def to_json(self) -> dict[str, Any]:
        """All of it, as JSON values."""
        return {
            "place": self.place,
            "layout": self.found.layout,
            "track": self.track.value,
            "inferred": {key: asdict(said) for key, said in self.said.items()},
            "notes": list(self.notes),
            "entry": dict(self.entry),
        }


class Answers:
    """What the user says, for all artifacts that do not say it themselves, or for one folder or file.

    Args:
        given: By key, values or ``FOLDER=VALUE``.
        positions: MIB's ids of token positions, and the task's positions that they are.

    Raises:
        UsageError: A value is given twice, or there is no such value.
    """

    def __init__(self, given: Mapping[str, Iterable[str]], positions: Mapping[str, str | None] | None = None) -> None:
        self.positions = dict(positions or {})
        self._given: dict[tuple[str, str], str] = {}
        self._used: set[tuple[str, str]] = set()
        for key, texts in given.items():
            for text in texts:
                place, equals, value = text.rpartition("=")
                name = (key, place.strip("/") if equals else "")
                _check_value(key, value)
                if self._given.setdefault(name, value) != value:
                    do = f"Say --{key} FOLDER=VALUE for each folder."
                    raise UsageError(f"--{key} is given twice.", why=f"{self._given[name]}, {value}.", do=do)

    def of(self, key: str, place: str) -> Said | None:
        """What is said of the artifact at ``place`` itself, or of a folder that it is in."""
        parts = place.split("/")
        for depth in range(len(parts), 0, -1):
            above = "/".join(parts[:depth])
            if (key, above) in self._given:
                self._used.add((key, above))
                return Said(self._given[key, above], f"--{key} {above}=…")
        return None

    def all(self, key: str) -> Said | None:
        """What is said of all artifacts that do not say it themselves."""
        if (key, "") not in self._given:
            return None
        self._used.add((key, ""))
        return Said(self._given[key, ""], f"--{key}")

    def agrees(self, key: str, value: str) -> None:
        """Note that what is said of all is what an artifact says itself."""
        if self._given.get((key, "")) == value:
            self._used.add((key, ""))

    def unused(self) -> list[Failure]:
        """Failures for what was said of nothing."""
        return [
            Failure(
                f"--{key} {f'{place}=' if place else ''}{value} says nothing.",
                f"There is no {place} in the source that it could be said of."
                if place
                else "Every artifact says its own.",
                "Correct it, or leave it out."
                if place
                else f"Leave it out; --{key} FOLDER={value} overrules a folder.",
            )
            for (key, place), value in self._given.items()
            if (key, place) not in self._used
        ]


def _check_value(key: str, value: str) -> None:
    values = _VALUES.get(key)
    if not value or (values is not None and value not in values):
        do = f"Say one of {', '.join(values)}." if values else f"Say --{key} VALUE, or FOLDER=VALUE."
        raise UsageError(f"--{key} '{value[:80]}' cannot be used.", why="There is no such value.", do=do)


def settle(item: Item, key: str, answers: Answers, own: Iterable[Said], why: str) -> str | None:
    """Decide a value: what is said of the artifact, else the only one that it can be, else what is said of all.

    Args:
        item: The artifact; it takes the value, or the question.
        key: What is decided.
        answers: What the user says.
        own: What it can be by itself.
        why: Why it may not be known.

    Returns:
        The value; None: it has to be asked.
    """
    can = list({one.value: one for one in own}.values())
    said = answers.of(key, item.place)
    if said is None and len(can) == 1:
        said = can[0]
        answers.agrees(key, said.value)
    said = said or answers.all(key)
    if said is None:
        item.ask(f"--{key}", why, [one.value for one in can])
        return None
    item.said[key] = said
    return said.value
