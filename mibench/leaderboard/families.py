"""Dictionaries to families: what was trained alike but for its sparsity and seed, ranked by frontier area."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from mibench.core.hashing import digest
from mibench.leaderboard.contest import Contest
from mibench.leaderboard.controls import board_of
from mibench.leaderboard.ranking import Rank, contender, contested, in_detail
from mibench.leaderboard.rows import Entry, Group
from mibench.leaderboard.sparsity import l0_of
from mibench.leaderboard.text import plain
from mibench.metrics.sae.family import FamilyArea, Point, family_area
from mibench.metrics.sae.frontier import Window, common_window
from mibench.records.record import DictionaryFacts, MetricValue, RunRecord

SPARSITY = ("k", "l0", "coefficient")
"""Parameters of methods that set how many latents are active."""
_TRAINING = {"train_corpus", "train_tokens"}
_SHOWN_DIGITS = 12


@dataclass(frozen=True)
class Family:
    """Dictionaries that differ in sparsity and seed only.

    Attributes:
        entries: Their records.
        key: What they share.
        label: Name that no other family of the group has.
    """

    entries: tuple[Entry, ...] = field(repr=False)
    key: Mapping[str, Any]
    label: str = ""

    @property
    def records(self) -> list[RunRecord]:
        """Records of all of them."""
        return [entry.record for entry in self.entries]

    @property
    def good(self) -> list[RunRecord]:
        """Records with numbers."""
        return [record for record in self.records if record.status == "ok"]

    @property
    def facts(self) -> DictionaryFacts | None:
        """What one of them is; None where none has numbers."""
        return next((record.dictionary for record in self.good if record.dictionary is not None), None)

    @property
    def name(self) -> str:
        """Name of the method, or of the architecture of files that state nothing of their making."""
        facts = self.facts
        if self._bare:
            return plain(facts.architecture if facts else "dictionaries")
        return plain(self.key["method"])

    @property
    def _bare(self) -> bool:
        """Whether it goes by what its files are; a name is then that of files, not of a method."""
        return self.key["handed_in"] and not self.key["stated"]

    @property
    def detail(self) -> str:
        """Version, width, recipe, training."""
        facts, own = self.facts, self.key
        parts = [] if own["version"] is None else [f"v{own['version']}"]
        parts += [f"named {own['method']}"] if self._bare and own["method"] not in {"", self.name} else []
        parts += [f"{name}={value}" for name, value in sorted(own["params"].items()) if value is not None]
        if facts is not None:
            parts += [f"{facts.d_sae} latents"] if "width" not in own["params"] else []
            parts += [f"{facts.train_tokens:,} tokens"] if facts.train_tokens else []
            parts += [f"trained on {facts.train_corpus}"] if facts.train_corpus else []
        parts += ["handed in"] if own["handed_in"] else []
        return " · ".join(plain(part) for part in parts)

    @property
    def seeds(self) -> list[int]:
        """Seeds that are known."""
        return sorted({seed for record in self.records if (seed := seed_of(record)) is not None})

    @property
    def l0(self) -> tuple[float, float] | None:
        """Least and largest L0; None where none is known."""
        found = [value.value for record in self.good if (value := l0_of(record)) and value.value is not None]
        return (min(found), max(found)) if found else None

    @property
    def board(self) -> str | None:
        """Board of its own, on which it is not ranked with the others."""
        return next((board for record in self.records if (board := board_of(record)) is not None), None)

    @cached_property
    def incomplete(self) -> str | None:
        """Why the family can have no area, whatever the metric; None: it can."""
        stopped = [record for record in self.records if record.status != "ok"]
        if stopped:
            return f"{len(stopped)} of {len(self.records)} dictionaries {stopped[0].status}"
        missing = sum(l0_of(record) is None for record in self.records)
        if missing:
            return f"the L0 of {missing} of {len(self.records)} dictionaries is not known; sae-core measures it"
        return "a dictionary has an L0 of 0" if self.l0 is None or self.l0[0] <= 0 else None

    def points(self, metric: str) -> list[Point]:
        """Its dictionaries as points of a frontier."""
        absent = MetricValue(value=None, reason=f"{metric} was not measured")
        return [
            Point(recipe_of(record), seed_of(record), value.value, record.metrics.get(metric, absent))
            for record in self.good
            if (value := l0_of(record)) is not None and value.value is not None
        ]

    def area(self, metric: str, window: Window | None = None) -> FamilyArea:
        """Its frontier area, over what it covers of the usual range or of ``window``."""
        if self.incomplete is not None:
            return FamilyArea(MetricValue(value=None, reason=self.incomplete), None, 0)
        points = self.points(metric)
        return family_area(points) if window is None else family_area(points, window)


@dataclass(frozen=True)
class Standing:
    """Families of a group by one metric.

    Attributes:
        areas: Of each family, over what itself covers.
        ranks: Of each family, by its area over ``window``.
        window: What the ranked families all cover; None: none are ranked.
    """

    areas: tuple[FamilyArea, ...]
    ranks: tuple[Rank, ...]
    window: Window | None


def families(group: Group) -> tuple[Family, ...]:
    """Return the families of a group of the SAE track, by label."""
    entries = [entry for row in group.rows for entry in row.entries]
    names = Counter(entry.record.cell.method.name for entry in entries)
    found: dict[str, list[Entry]] = defaultdict(list)
    keys: dict[str, dict[str, Any]] = {}
    for entry in entries:
        key = _key(entry.record, named=names[entry.record.cell.method.name] > 1)
        keys.setdefault(digest(key), key)
        found[digest(key)].append(entry)
    made = [Family(tuple(sorted(own, key=_order)), keys[name]) for name, own in found.items()]
    return tuple(sorted(_labelled(made), key=lambda family: family.label))


def standing(members: Sequence[Family], metric: str, *, ranked: bool = True) -> Standing:
    """Rank families by their areas over the window that most of them cover, within the newest metric version.

    Args:
        members: Families of one group.
        metric: Name of the metric.
        ranked: Whether the metric ranks at all.
    """
    areas = tuple(family.area(metric) for family in members)
    newest = max((area.metric.version for area in areas if area.metric.value is not None), default=1)
    reasons = {index: _unranked(*pair, newest) for index, pair in enumerate(zip(members, areas, strict=True))}
    windows = {index: area.window for index, area in enumerate(areas) if not reasons[index] and area.window}
    common = common_window(list(windows.values())) if ranked else None
    if common is None:
        why = "the metric is shown, not ranked"
        return Standing(areas, tuple(Rank(None, why=reason or why) for reason in reasons.values()), None)
    for (index, own), covers in zip(windows.items(), common[1], strict=True):
        reasons[index] = "" if covers else f"covers L0 {own}, the ranked families {common[0]}"
    on_window = {i: members[i].area(metric, common[0]).metric for i in windows if not reasons[i]}
    ranks = _ranks(members, on_window)
    return Standing(areas, tuple(ranks.get(i) or Rank(None, why=why) for i, why in reasons.items()), common[0])


def _unranked(family: Family, area: FamilyArea, newest: int) -> str:
    """Return why a family has no rank; empty if it can have one."""
    if area.metric.value is None:
        return area.metric.reason or ""
    if family.board is not None:
        return f"on the {family.board} board: shown, not ranked"
    if area.metric.version != newest:
        return f"has version {area.metric.version} of the metric, ranked is version {newest}; rescore it"
    return "the metric has no better end" if area.metric.higher_is_better is None else ""


def _ranks(members: Sequence[Family], areas: Mapping[int, MetricValue]) -> dict[int, Rank]:
    """Rank areas over one window, ties by their intervals."""

    def worse(index: int) -> tuple[float, str]:
        area = areas[index]
        value = 0.0 if area.value is None else area.value
        return -value if area.higher_is_better else value, members[index].label

    order = sorted(areas, key=worse)
    contenders = [contender(members[index].label, areas[index], "families are not paired") for index in order]
    contest, higher = Contest(contenders), any(areas[index].higher_is_better for index in order)
    return dict(zip(order, in_detail(contested(contest), contest, higher_is_better=higher), strict=True))


def recipe_of(record: RunRecord) -> str:
    """Return what sets a dictionary's sparsity; of a file that does not say, its digest."""
    params, artifact = record.cell.method.params, record.cell.method.artifact_digest
    stated = ", ".join(f"{name}={params[name]}" for name in SPARSITY if params.get(name) is not None)
    return stated or ("" if artifact is None else artifact[:_SHOWN_DIGITS])


def seed_of(record: RunRecord) -> int | None:
    """Return the seed of a dictionary's training, if it is known."""
    own = record.dictionary.seed if record.dictionary is not None else None
    return record.cell.method.seed if record.cell.method.seed is not None else own


def _key(record: RunRecord, *, named: bool) -> dict[str, Any]:
    """Return what a family shares.

    What a file was trained on is not in its cell, so it is taken from the file. Files that state neither parameters
    nor a version go by all that they are, and by a name they share.
    """
    cell, method, facts = record.cell, record.cell.method, record.dictionary
    handed_in = method.artifact_digest is not None
    bare = handed_in and not (method.params or method.version)
    stated = set(DictionaryFacts.model_fields) - {"sha256", "seed"} if bare else _TRAINING
    return {
        "method": method.name if named or not bare else "",
        "version": method.version,
        "params": {name: value for name, value in method.params.items() if name not in SPARSITY},
        "code": method.code_digest,
        "handed_in": handed_in,
        "stated": not bare,
        "train": [cell.task.train_limit, cell.task.train_digest],
        "dtype": [cell.model.dtype, cell.model.attention],
        "facts": facts.model_dump(mode="json", include=stated) if handed_in and facts is not None else None,
    }


def _order(entry: Entry) -> tuple[float, str, int, str]:
    value = l0_of(entry.record)
    seed = seed_of(entry.record)
    l0 = 0.0 if value is None or value.value is None else value.value
    return l0, recipe_of(entry.record), -1 if seed is None else seed, entry.record.cell.id


def _labelled(made: Sequence[Family]) -> list[Family]:
    """Name each family by as little as tells it apart."""
    names = Counter(family.name for family in made)
    details = Counter((family.name, family.detail) for family in made)
    labelled = []
    for family in made:
        parts = [family.name]
        parts += [family.detail] if names[family.name] > 1 else []
        parts += [digest(dict(family.key))[:_SHOWN_DIGITS]] if details[family.name, family.detail] > 1 else []
        labelled.append(replace(family, label=" · ".join(filter(None, parts))))
    return labelled
