"""Where records are fetched from: a folder, or a data set of the hub at a commit."""

from __future__ import annotations

import re
from pathlib import Path

from mibench.core.errors import UsageError
from mibench.core.files import is_folder

_HUB = re.compile(r"hub:(?P<repo>[\w.-]+/[\w.-]+)@(?P<commit>[0-9a-f]{40})(?:/(?P<inside>[\w./-]+))?")
_FILES = ("*.json", "*.jsonl", "*.parquet", "*.safetensors")


def folder_of(source: str) -> Path:
    """Return the local folder of a source; what is on the hub is fetched.

    Raises:
        UsageError: It is neither a folder nor a data set at a commit.
        ModelError: It could not be fetched.
    """
    if not source.startswith("hub:"):
        if not is_folder(source):
            why, do = "There is no such folder.", "Give a folder of records, or hub:ORG/NAME@COMMIT."
            raise UsageError(f"{source[:200]} cannot be read.", why=why, do=do)
        return Path(source)
    found = _HUB.fullmatch(source)
    if found is None or ".." in Path(found["inside"] or "").parts:
        raise UsageError(
            f"'{source[:200]}' is no data set at a commit.",
            why="It is written hub:ORG/NAME@COMMIT, then /FOLDER where needed; a branch could change.",
            do="Give all 40 digits of the commit.",
        )
    inside = found["inside"] or ""
    folder = _fetched(found["repo"], found["commit"], inside) / inside
    if not is_folder(folder):
        raise UsageError(f"{source} has no records.", why=f"There is no folder {inside}.", do="Correct the folder.")
    return folder


def _fetched(repo: str, commit: str, inside: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HTTPError

    from mibench.models.hub import hub_error

    patterns = [f"{inside.rstrip('/')}/{pattern}" if inside else pattern for pattern in _FILES]
    try:
        return Path(snapshot_download(repo, repo_type="dataset", revision=commit, allow_patterns=patterns))
    except (OSError, ValueError, HTTPError) as error:
        raise hub_error(f"datasets/{repo}", commit, error) from error
