"""What was read of MIB's triplets, what was not, and how MIB's own evaluation would score them differently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mibench.artifacts.featurizers.featurizers import SiteFeaturizer
from mibench.artifacts.featurizers.selection import is_empty
from mibench.artifacts.formats.mib_names import Unit


@dataclass(frozen=True)
class Skipped:
    """A triplet that is not scored.

    Attributes:
        unit: MIB's name of the place.
        why: The reason.
        placed: Its token position is one of the task's; else that is the reason.
    """

    unit: str
    why: str
    placed: bool = True


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes:
        folder: Name of the folder.
        read: Names of the sites that were read.
        skipped: Triplets that were not, with the reason; their sites are not scored.
        unmapped_positions: Token position ids that no position of the task is known for.
        code: Python files beside the folder or in it; they are never run.
        legacy: How MIB's evaluation differs, by kind: units whose indices it drops (``indices_dropped``), of which it
            takes an empty list for all features (``empty_is_all``), and units that it scores as a swap of the full
            vector for want of a featurizer that it can load (``identity_fallback``).
        notes: Anything else.
    """

    folder: str
    read: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()
    unmapped_positions: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    legacy: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All of it, as JSON values."""
        return asdict(self)

    def words(self) -> list[str]:
        """The same as sentences, for people."""
        lines = [f"Not read: {one.unit}: {one.why}" for one in self.skipped]
        if self.unmapped_positions:
            names = ", ".join(self.unmapped_positions)
            lines.append(f"Positions that the task does not have: {names}. Say what they are with --position-map.")
        if self.code:
            lines.append(f"Not run: {', '.join(self.code)}.")
        for kind, units in self.legacy.items():
            shown = ", ".join(units[:3]) + (" …" if len(units) > 3 else "")
            lines.append(f"{_LEGACY[kind]} at {len(units)} of its places: {shown}.")
        return [*lines, *self.notes]


_LEGACY = {
    "indices_dropped": "MIB's evaluation drops the feature indices and swaps all features",
    "empty_is_all": "MIB's evaluation takes an empty list of features for all of them",
    "identity_fallback": "MIB's evaluation finds no featurizer and swaps the full vector",
}


def legacy_differences(
    read: Sequence[tuple[Unit, SiteFeaturizer]], units: Sequence[Unit], skipped: Sequence[Skipped]
) -> dict[str, tuple[str, ...]]:
    """Return where MIB's evaluation at its pinned commit swaps something else, by kind.

    Args:
        read: What was read.
        units: All triplets of the folder.
        skipped: Those that cannot be read.
    """
    dropped = [unit.name for unit, one in read if not _takes_all(one) and not is_empty(one.select)]
    empty = [unit.name for unit, one in read if is_empty(one.select)]
    residual = [unit for unit in units if unit.head is None]
    grid = {
        Unit(layer, None, token).name for layer in {u.layer for u in residual} for token in {u.token for u in residual}
    }
    unloadable = {one.unit for one in skipped if one.placed}
    fallback = sorted((grid - {unit.name for unit in units}) | unloadable)
    found = {"indices_dropped": dropped, "empty_is_all": empty, "identity_fallback": fallback}
    return {kind: tuple(names) for kind, names in found.items() if names}


def _takes_all(one: SiteFeaturizer) -> bool:
    return isinstance(one.select, str) or one.n_selected() == one.n_features()
