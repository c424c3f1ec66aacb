"""The rules of a small shared task that `submission_cases.good` fits, and ways to change them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from submission_cases import MODEL, TASK

from mibench.intake.round import Round


def round_of(*, days=7, **changes):
    """A round that ends in so many days."""
    now = datetime.now(UTC)
    own = {
        "name": "small",
        "title": "A small shared task",
        "organiser": "Us",
        "contact": "us@example.org",
        "opens": (now - timedelta(days=30)).isoformat(),
        "deadline": (now + timedelta(days=days)).isoformat(),
        "cells": [{"track": "circuit", "tasks": [TASK, "ioi"], "models": [MODEL, "gpt2"]}],
        "boards": [{"name": "main", "track": "circuit", "headline": "distance_absolute"}],
        "mibench": "0.1.0",
        "opened": (now - timedelta(days=30)).isoformat(),
        "tasks": {TASK: 1, "ioi": 1},
        "metrics": {"distance_absolute": 1},
        "models": {},
        "commitments": {"standings": "0" * 64, "final": "1" * 64},
    }
    return Round.model_validate_json(json.dumps(own | changes))


def write_round(path, **changes):
    """Write its ``round.json``."""
    path.write_text(round_of(**changes).model_dump_json(), encoding="utf-8")
    return path


def private_rows(folder):
    """The private rows of IOI of a round's folder."""
    paths = [folder.split(split) / "ioi" / "test.jsonl" for split in ("standings", "final")]
    return [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
