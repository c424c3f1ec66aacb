"""How long jobs will take, from what stored records took: a range, or nothing where no record speaks of it.

A job is its method and its scoring. Each is forecast from the closest records that there are: of the same method on
the same ground, scaled by examples, sites, steps and epochs; else of the same method on other grounds, scaled by the
parameters of the model and the tokens of a prompt besides; else by the passes that the method takes, at the speed of
other methods on this ground. Scoring hardly depends on the method: where it was never scored here, others stand in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mibench.core.specs import Track
from mibench.runner.forecasts.past_costs import Past, Work

ALONE = 1.5
"""Factor of the range, either way, around what a few records say, or records of other grounds."""
TOGETHER = 1.15
"""The same around the lowest and the highest of many records of the ground."""
ROOM = 1.1
"""The same around the peaks of memory of one job, which differ by what its process did before."""
ALIKE = 0.1
"""Share by which examples may differ for peaks to be those of one job; a tokenizer may leave some out."""
MANY = 4
"""Records from which on the lowest and the highest tell how much times differ."""
WIDENING = 0.25
"""Power of the ratio of two models' sizes by which a range between them is wider."""
Key = tuple[Any, ...]
_STEPS, _BATCH, _EPOCHS = "steps", "batch", "epochs"


@dataclass(frozen=True)
class Span:
    """Seconds.

    Attributes:
        low: At least, as far as is known.
        high: At most, likewise.
        basis: What it rests on.
        device: Device of those records, where it is another one, or not known; empty: this one.
    """

    low: float
    high: float
    basis: str
    device: str = ""

    @property
    def middle(self) -> float:
        """One number in place of the range."""
        return (self.low * self.high) ** 0.5 if self.low > 0 else (self.low + self.high) / 2


@dataclass(frozen=True)
class Room:
    """Bytes of memory.

    Attributes:
        low, high: At least and at most, as far as is known.
        likely: One number in place of the range.
        basis: What it rests on.
    """

    low: int
    high: int
    likely: int
    basis: str


@dataclass(frozen=True)
class Forecast:
    """What a job will take.

    Attributes:
        discovery: Time of its method; None: not known.
        scoring: Time of scoring; None: not known.
        reason: Why a part is not known.
    """

    discovery: Span | None
    scoring: Span | None
    reason: str = ""

    @property
    def total(self) -> Span | None:
        """Both together; None where one is not known."""
        if self.discovery is None or self.scoring is None:
            return None
        parts = (self.discovery, self.scoring)
        basis = max(parts, key=lambda part: part.middle).basis
        device = next((part.device for part in parts if part.device), "")
        return Span(sum(part.low for part in parts), sum(part.high for part in parts), basis, device)


@dataclass(frozen=True)
class _Part:
    """One part of a job, and how it is read from records."""

    seconds: Callable[[Past], float | None]
    passes: Callable[[Past], float]
    ratio: Callable[[Work, Work], float]
    ground: Callable[[Work], Key]
    of_method: bool


class Book:
    """Stored costs, found by method and by ground.

    Args:
        pasts: What was run before.
        device: Product name of the device; costs of others stand in where there are none of it.
    """

    def __init__(self, pasts: Iterable[Past], device: str | None = None) -> None:
        found = list(pasts)
        self.own = _Shelf([past for past in found if past.device == device])
        self.rest = _Shelf([past for past in found if past.device != device])


class _Shelf:
    """Costs of one kind of device."""

    def __init__(self, pasts: Sequence[Past]) -> None:
        self._methods: dict[Key, list[Past]] = {}
        self._grounds: dict[Key, list[Past]] = {}
        for past in pasts:
            self._methods.setdefault((past.work.track, past.work.method), []).append(past)
            for part in (_DISCOVERY, _SCORING):
                key = (part.of_method, part.ground(past.work))
                self._grounds.setdefault(key, []).append(past)
                self._grounds.setdefault((*key, past.work.method), []).append(past)
        self.devices = ", ".join(sorted({past.device or "an unnamed device" for past in pasts}))

    def of_method(self, work: Work) -> list[Past]:
        """Costs of the same method anywhere."""
        return self._methods.get((work.track, work.method), [])

    def on_ground(self, work: Work, part: _Part, *, same_method: bool = False) -> list[Past]:
        """Costs of a part on the same ground, of all methods or of the same one."""
        key = (part.of_method, part.ground(work))
        return self._grounds.get((*key, work.method) if same_method else key, [])


def forecast(work: Work, book: Book) -> Forecast:
    """What a job will take, as far as stored costs tell."""
    discovery = Span(0.0, 0.0, "nothing is learnt") if _is_told(work) else _part(work, _DISCOVERY, book)
    scoring = _part(work, _SCORING, book)
    missing = [name for name, part in (("its method", discovery), ("its scoring", scoring)) if part is None]
    return Forecast(discovery, scoring, f"no record tells of {' and '.join(missing)}" if missing else "")


def total(spans: Sequence[Span], workers: int = 1) -> Span | None:
    """Time of jobs with so many workers at once; None without jobs."""
    if not spans:
        return None
    lows, highs = [span.low for span in spans], [span.high for span in spans]
    low, high = (max(sum(ends) / workers, *ends) for ends in (lows, highs))
    return Span(low, high, f"{len(spans)} jobs", next((span.device for span in spans if span.device), ""))


def room(work: Work, book: Book, batch: tuple[int, int | None]) -> Room | None:
    """Memory that records of this very job took, with batches of so many examples and tokens (None: the default)."""
    pasts = [past for shelf in (book.own, book.rest) for past in shelf.on_ground(work, _SCORING, same_method=True)]
    peaks = [past.peak for past in pasts if past.peak and _is_same(past, work, batch)]
    if not peaks:
        return None
    many = f"{len(peaks)} records" if len(peaks) > 1 else "1 record"
    return Room(int(min(peaks) / ROOM), int(max(peaks) * ROOM), max(peaks), f"same job, {many}")


def _is_same(past: Past, work: Work, batch: tuple[int, int | None]) -> bool:
    """Whether a record is of this very job, with batches of this size."""
    # Of more examples than a batch only methods that learn keep anything.
    kept = float("inf") if _BATCH in work.params else batch[0]
    return (
        dict(past.work.params) == dict(work.params)
        and past.batch[0] in {None, batch[0]}
        and batch[1] in {None, past.batch[1]}
        and _as_many(past.work.examples, work.examples, batch[0])
        and _as_many(past.work.train, work.train, kept)
    )


def _as_many(one: int | None, other: int | None, enough: float) -> bool:
    return min(one or 0, other or 0) >= enough or abs(_quotient(one, other) - 1) <= ALIKE


def _part(work: Work, part: _Part, book: Book) -> Span | None:
    ways = (_same_ground, _other_ground, _by_passes) if part.of_method else (_same_ground, _by_others, _other_ground)
    for shelf, device in ((book.own, ""), (book.rest, book.rest.devices)):
        for way in ways:
            found = way(work, part, shelf)
            if found is not None:
                return replace(found, device=device)
    return None


def _same_ground(work: Work, part: _Part, shelf: _Shelf) -> Span | None:
    alike = shelf.on_ground(work, part, same_method=True)
    exact = [past for past in alike if dict(past.work.params) == dict(work.params)]
    enough = exact if len(exact) >= MANY or (exact and part.of_method) else alike
    return _range(_scaled(work, part, enough), "same method, same ground", TOGETHER)


def _other_ground(work: Work, part: _Part, shelf: _Shelf) -> Span | None:
    """The same method elsewhere; what does not grow with the model makes the range wider, the further it is."""
    level, values, widest = work.ground[1], [], 1.0
    for past in shelf.of_method(work):
        if past.work.size and work.size and past.work.ground[1] == level:
            ratio = work.size / past.work.size
            widest = max(widest, ratio, 1 / ratio)
            values += [value * ratio for value in _scaled(work, part, [past])]
    return _range(values, "same method, other grounds", ALONE * widest**WIDENING)


def _by_passes(work: Work, part: _Part, shelf: _Shelf) -> Span | None:
    """Passes of the method wherever it was run, at the speed of this ground."""
    mine = [past for past in shelf.of_method(work) if part.passes(past) > 0]
    here = [past for past in shelf.on_ground(work, part) if part.passes(past) > 0]
    speeds = [(part.seconds(past) or 0.0) / part.passes(past) for past in here]
    if not mine or not speeds:
        return None
    passes = [part.passes(past) * part.ratio(work, past.work) for past in mine]
    ends = [min(passes) * min(speeds), max(passes) * max(speeds)]
    return _range(ends, "passes of the method, speed of others here", ALONE)


def _by_others(work: Work, part: _Part, shelf: _Shelf) -> Span | None:
    """What scoring took of other methods on this ground: it hardly depends on the method."""
    return _range(_scaled(work, part, shelf.on_ground(work, part)), "other methods, same ground", TOGETHER)


def _scaled(work: Work, part: _Part, pasts: Sequence[Past]) -> list[float]:
    known = [(part.seconds(past), part.ratio(work, past.work)) for past in pasts]
    return [seconds * ratio for seconds, ratio in known if seconds is not None]


def _range(values: Sequence[float], basis: str, factor: float) -> Span | None:
    if not values:
        return None
    factor = max(ALONE, factor) if len(values) < MANY else factor
    many = f"{len(values)} records" if len(values) > 1 else "1 record"
    return Span(min(values) / factor, max(values) * factor, f"{basis}, {many}")


def _is_told(work: Work) -> bool:
    """Whether a method learns nothing, so that its time is that of scoring."""
    return work.train is None and work.track is Track.CIRCUIT and not work.params


def _discovery_ratio(work: Work, other: Work) -> float:
    if work.track is Track.SAE:
        return _quotient(work.train, other.train) * _quotient(_number(work, "width"), _number(other, "width"))
    if all(_number(one, _STEPS) and _number(one, _BATCH) for one in (work, other)):
        rows = [(_number(one, _STEPS) or 0.0) * (_number(one, _BATCH) or 0.0) for one in (work, other)]
        return _quotient(*rows)
    steps = _quotient(_number(work, _STEPS, 1.0), _number(other, _STEPS, 1.0))
    epochs = _quotient(_number(work, _EPOCHS), _number(other, _EPOCHS)) * _quotient(_prices(work), _prices(other))
    return _quotient(work.train, other.train) * steps * epochs * work.sites / other.sites


def _scoring_ratio(work: Work, other: Work) -> float:
    return _quotient(work.examples, other.examples) * work.sites / other.sites


def _number(work: Work, name: str, more: float = 0.0) -> float | None:
    """A parameter that is a number, and ``more`` for what is done besides."""
    value = work.params.get(name)
    return float(value) + more if isinstance(value, int | float) and not isinstance(value, bool) else None


def _prices(work: Work) -> float | None:
    """How many prices of an open gate are tried, each with a training of its own."""
    found = work.params.get("sparsities")
    return float(len(found)) if isinstance(found, list | tuple) and found else None


def _quotient(one: float | None, other: float | None) -> float:
    """One by the other; 1 where either is not known."""
    return one / other if one and other else 1.0


def _taught_on(work: Work) -> Key:
    """Ground of a method: a dictionary is trained for a place, whatever it is scored on."""
    track, level, _, *rest = work.ground
    return (track, level, *rest) if work.track is Track.SAE else work.ground


_DISCOVERY = _Part(lambda past: past.discovery, lambda past: past.passes, _discovery_ratio, _taught_on, of_method=True)
_SCORING = _Part(
    lambda past: past.scoring,
    lambda past: past.scoring_passes,
    _scoring_ratio,
    lambda work: work.ground,
    of_method=False,
)
