"""What of a submission is scored where in a round: its artifacts, each with its cells."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mibench.artifacts.circuit import CircuitScores
from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.artifacts.dictionaries.native import load_native
from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.artifacts.featurizers.files import load_featurizers
from mibench.artifacts.files import load_scores
from mibench.artifacts.series import BUDGETS, CircuitSeries, Member, series_of
from mibench.core.errors import ArtifactError, DataError
from mibench.core.files import is_file, read_text
from mibench.core.hashing import file_digest
from mibench.core.specs import Level, Ranking, Track
from mibench.intake.draft import read_draft
from mibench.intake.manifest import MANIFEST, ArtifactEntry, Submission
from mibench.intake.round import RoundRules
from mibench.intake.rules import Rules
from mibench.models.hub import hub_file

Artifact = CircuitScores | Featurizers | Dictionary
Place = tuple[str, str]
"""A task and a model; ``""``: none."""


@dataclass(frozen=True)
class Piece:
    """What is scored as one: an artifact, or nine circuits of one ranking.

    Attributes:
        entries: What the manifest says of it.
        places: Tasks and models (``""``: none) that it is scored on.
    """

    entries: tuple[ArtifactEntry, ...]
    places: tuple[Place, ...]

    @property
    def first(self) -> ArtifactEntry:
        """The first of its entries, which agree in all but budget and file."""
        return self.entries[0]

    @property
    def level(self) -> Level | None:
        """What is scored, of circuits: edge where the manifest leaves it out."""
        return (self.first.level or Level.EDGE) if self.first.track is Track.CIRCUIT else None


def read_submission(folder: Path) -> Submission:
    """Read the manifest of a submission that has passed its check.

    Raises:
        UsageError: There is none.
        DataError: It does not pass any more.
    """
    draft = read_draft(read_text(folder / MANIFEST, max_bytes=Rules().manifest_bytes))
    if draft.submission is None:
        why = "It has changed since it was checked."
        raise DataError(f"The manifest in {folder} cannot be used.", why=why, do="Hand it in again.")
    return draft.submission


def method_name(submission: Submission) -> str:
    """What records call the method of a submission: ``team/method@version``; no other submission has it."""
    return f"{submission.team}/{submission.method}@{submission.version}"


def pieces_of(submission: Submission, rules: RoundRules) -> list[Piece]:
    """List what of a submission is scored in a round, and where; the rest of it is left out."""
    cells: dict[tuple[ArtifactEntry, ...], list[Place]] = defaultdict(list)
    rankings: dict[tuple[Place, Level | None, int | None], list[ArtifactEntry]] = defaultdict(list)
    for entry in submission.artifacts:
        for place in _places(entry, rules):
            if entry.budget is None:
                cells[entry,].append(place)
            else:
                rankings[place, entry.level, entry.seed].append(entry)
    for (place, *_), entries in rankings.items():
        whole = sorted(entry.budget or 0.0 for entry in entries) == sorted(BUDGETS)
        pieces: list[tuple[ArtifactEntry, ...]] = [tuple(entries)] if whole else [(entry,) for entry in entries]
        for piece in pieces:
            cells[piece].append(place)
    return [Piece(entries, tuple(places)) for entries, places in cells.items()]


def _places(entry: ArtifactEntry, rules: RoundRules) -> Iterator[Place]:
    for task in entry.tasks:
        for model in entry.models or ("",):
            if rules.group_of(entry, task, model) is not None:
                yield task, model


def artifact_path(entry: ArtifactEntry, folder: Path) -> Path:
    """Return where an artifact is, its bytes checked: in the submission's folder, or in the cache of the hub.

    Raises:
        ArtifactError: It is not the file that was handed in.
        ModelError: It is not in the cache, and cannot be fetched.
    """
    if entry.hub is not None:
        path = hub_file(entry.hub.repo, entry.hub.path, entry.hub.revision, entry.bytes)
    else:
        path = folder / entry.path
    if not is_file(path) or path.stat().st_size != entry.bytes or file_digest(path) != entry.sha256:
        why = "Its size or sha256 is not the one of the manifest."
        raise ArtifactError(f"{entry.path} is not the file that was handed in.", why=why, do="Restore the submission.")
    return path


def read_series(entries: Sequence[ArtifactEntry], folder: Path) -> CircuitSeries:
    """Read nine circuits of one ranking as a series.

    Raises:
        ArtifactError: They are not nine different circuits of one model.
    """
    read = [(entry, load_scores(artifact_path(entry, folder), level=entry.level, binary=True)) for entry in entries]
    members = [Member(entry.path, one.in_graph) for entry, one in read if one.in_graph is not None]
    first = read[0][1]
    return series_of(first.graph, first.level, first.d_model, {Ranking.SIGNED: members})


def read_piece(piece: Piece, folder: Path) -> Artifact:
    """Read what is scored, without a model.

    Raises:
        MibenchError: It cannot be used any more.
    """
    if len(piece.entries) > 1:
        return read_series(piece.entries, folder)
    entry, path = piece.first, artifact_path(piece.first, folder)
    if entry.track is Track.CIRCUIT:
        return load_scores(path, level=entry.level, binary=entry.budget is not None)
    return load_featurizers(path) if entry.track is Track.VARIABLE else load_native(path)
