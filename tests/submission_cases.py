"""A small submission that is fine, and ways to change it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import yaml

from mibench.artifacts.circuit import CircuitScores
from mibench.artifacts.files import save_scores
from mibench.core.specs import Level
from mibench.graph.graph import Graph
from mibench.intake.check import check_submission

NAME = "team__method@1"
MODEL = "planted-induction-gpt2"
TASK = "planted-induction"
GRAPH = Graph(2, 4, False)
WIDTH = 256
FILE = "artifacts/a.safetensors"


def scores(graph=GRAPH, d_model=WIDTH, seed=0, level=Level.EDGE, **more):
    """Random scores of a graph."""
    shape = {Level.EDGE: graph.shape, Level.NODE: (graph.n_sources,)}[level]
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return CircuitScores(graph, level, values, d_model, **more)


def entry(path, file=FILE, **changes):
    """What a manifest says of the circuit scores in a file."""
    content = Path(path).read_bytes()
    own = {
        "track": "circuit",
        "tasks": [TASK],
        "models": [MODEL],
        "level": "edge",
        "file": file,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
    return {key: value for key, value in (own | changes).items() if value is not None}


def manifest(artifacts, **changes):
    """A manifest's values."""
    own = {
        "schema_version": 1,
        "team": "team",
        "method": "method",
        "version": "1",
        "authors": ["A. Person"],
        "contact": "a@example.org",
        "licence": "CC-BY-4.0",
        "description": "A method.",
        "tracks": ["circuit"],
        "training_data": {"splits": ["train"]},
        "artifacts": artifacts,
    }
    return {key: value for key, value in (own | changes).items() if value is not None}


def write_manifest(folder, values):
    """Write a manifest."""
    text = values if isinstance(values, str) else yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    (folder / "submission.yaml").write_text(text, encoding="utf-8")


def good(parent, name=NAME):
    """Write a submission that passes; return its folder."""
    folder = parent / name
    (folder / "artifacts").mkdir(parents=True)
    save_scores(scores(), folder / FILE)
    (folder / "README.md").write_text("# A method\n", encoding="utf-8")
    write_manifest(folder, manifest([entry(folder / FILE)]))
    return folder


def change(folder, *, first=None, **changes):
    """Change keys of the manifest, and of its first artifact."""
    values = yaml.safe_load((folder / "submission.yaml").read_text(encoding="utf-8"))
    values["artifacts"][0] |= first or {}
    values["artifacts"][0] = {key: value for key, value in values["artifacts"][0].items() if value is not None}
    values = {key: value for key, value in (values | changes).items() if value is not None}
    write_manifest(folder, values)


def put(folder, content, file=FILE, **changes):
    """Put other bytes in the place of the artifact, and say so in the manifest."""
    (folder / FILE).unlink(missing_ok=True)
    path = folder / file
    path.write_bytes(content)
    write_manifest(folder, manifest([entry(path, file, **changes)]))


def text_of(report):
    """Everything that a report says is wrong."""
    return "\n".join(f"{one.what} {one.why}" for one in report.failures)


def failed(path, *words, asked=None):
    """Check a submission that is to fail, each failure explained; one of ``words`` names the fault."""
    report = check_submission(path, asked)
    text = text_of(report)
    assert not report.passed
    assert all(one.what and one.why and one.do for one in report.failures), text
    assert not words or any(word in text for word in words), text
    return report
