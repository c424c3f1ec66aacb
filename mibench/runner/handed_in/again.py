"""The artifact of a record that was handed in, once more: from beside the record, or from a file of the user."""

from __future__ import annotations

from pathlib import Path

from mibench.artifacts.circuit import CircuitScores
from mibench.artifacts.featurizers.files import load_featurizers
from mibench.artifacts.files import load_scores
from mibench.core.errors import ArtifactError
from mibench.core.files import is_file
from mibench.core.specs import Track
from mibench.records.record import RunRecord
from mibench.records.store import Store
from mibench.runner.handed_in.score import Artifact, ArtifactMeta, load_artifact
from mibench.runner.settings import RunSettings


def artifact_of(record: RunRecord, store: Store, file: str | None, settings: RunSettings) -> Artifact | None:
    """The artifact that was handed in, from the file of the user or beside the record; None: none was.

    Args:
        record: The record.
        store: Where it lies.
        file: The user's file; None: the artifact lies beside the record.
        settings: The run; says what the file does not, such as level or hook point.

    Raises:
        StoreError: The file beside the record is missing or damaged.
        UsageError: There is no such file.
        ArtifactError: There is none, or it is not the one that was scored.
    """
    own = record.cell.method
    if own.artifact_digest is None:
        if file is None:
            return None
        why = "Its method made the artifact; none was handed in."
        raise ArtifactError(f"{own.name} takes no artifact.", why=why, do="Leave out --artifact.")
    if file is not None:
        return _given(record, Path(file), settings)
    if record.artifact is None:
        raise ArtifactError(
            f"The artifact of {own.name} is not beside its record.",
            why="Dictionaries are too large to be kept there.",
            do="Add --artifact FILE, the file that was scored; its digest is compared with the record's.",
        )
    path = store.artifact(record)
    return load_featurizers(path) if record.cell.track is Track.VARIABLE else _scores(record, path)


def _given(record: RunRecord, path: Path, settings: RunSettings) -> Artifact:
    """The artifact in a file of the user, refused unless it is the one that was scored."""
    own, track = record.cell.method, record.cell.track
    found: Artifact = load_artifact(path, ArtifactMeta(), settings, binary=False)[0]
    if track is Track.CIRCUIT and found.digest != own.artifact_digest and is_file(path):
        found = _scores(record, path)
    if found.digest != own.artifact_digest:
        raise ArtifactError(
            f"{path} is not the artifact that was scored.",
            why=f"Its digest begins with {found.digest[:12]}, that of the record with {str(own.artifact_digest)[:12]}.",
            do="Give the file that the record was made of.",
        )
    return found


def _scores(record: RunRecord, path: Path) -> CircuitScores:
    """Scores as they were scored: a ranking, or the one circuit that their file names."""
    scores = load_scores(path, level=record.cell.level)
    if scores.digest == record.cell.method.artifact_digest or scores.in_graph is None:
        return scores
    return load_scores(path, level=record.cell.level, binary=True)
