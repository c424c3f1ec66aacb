"""Submissions that hold a method: an honest one, and hostile ones."""

from __future__ import annotations

import hashlib

from submission_cases import MODEL, TASK, manifest, write_manifest

NAME = "team__method@1"
HONEST = """
def found(view, power: float = 1.0):
    return view.scores(view.attribute() * power)
"""
"""A method that draws nothing."""


def code_entry(text, file="method.py", **changes):
    """What a manifest says of a method."""
    content = text.encode()
    own = {
        "track": "circuit",
        "tasks": [TASK],
        "models": [MODEL],
        "level": "edge",
        "file": file,
        "function": "found",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
    return {key: value for key, value in (own | changes).items() if value is not None}


def code_submission(parent, text=HONEST, name=NAME, *, first=None, **changes):
    """Write a submission that holds one method; return its folder."""
    folder = parent / name
    folder.mkdir(parents=True)
    (folder / "method.py").write_text(text, encoding="utf-8")
    team, rest = name.split("__")
    method, version = rest.split("@")
    values = manifest(None, team=team, method=method, version=version, methods=[code_entry(text, **(first or {}))])
    write_manifest(folder, values | changes)
    return folder
