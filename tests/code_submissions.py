"""Submissions that hold a method: an honest one, and hostile ones."""

from __future__ import annotations

import hashlib

from submission_cases import MODEL, TASK, manifest, scores, write_manifest

from mibench.artifacts.files import save_scores
from mibench.sandbox.view import interpreter

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


LIGHT = """
import json, sys
plan = json.load(open(sys.argv[1]))
path, name = plan["method"].rsplit(":", 1)
space = {}
exec(compile(open(path).read(), path, "exec"), space)
space[name](sys.argv[2], plan)
"""
"""A maker without torch: it calls the method with the folder of artifacts and the plan."""


def light_maker():
    """The command of a maker that starts at once; methods write their artifacts themselves."""
    return (interpreter(), "-I", "-S", "-c", LIGHT)


def artifact_bytes(parent, seed=0):
    """Bytes of an artifact that fits the submission of ``code_submission``."""
    path = parent / f"{seed}.safetensors"
    save_scores(scores(seed=seed), path, overwrite=True)
    return path.read_bytes()


def writing(content, before=""):
    """A method for the light maker: does something, then writes an artifact."""
    body = "".join(f"    {line}\n" for line in before.strip("\n").splitlines())
    return (
        f"DATA = {content!r}\n\n\ndef found(out, plan):\n{body}    open(out + '/0000.safetensors', 'wb').write(DATA)\n"
    )
