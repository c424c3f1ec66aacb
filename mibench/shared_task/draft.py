"""Begin a round: a ``round.yaml`` to fill in, and the salt of its private splits."""

from __future__ import annotations

import json
import os
import secrets
from datetime import datetime
from pathlib import Path

from mibench.core.errors import StoreError, UsageError
from mibench.core.files import atomic_write, check_name, exists
from mibench.intake.manifest import FILL_IN
from mibench.intake.names import name_fault
from mibench.shared_task.folder import RoundFolder, private_folder

SALT_BYTES = 32


def write_draft(folder: Path, name: str, now: datetime) -> Path:
    """Make the folder of a round: rules to fill in, and in ``private`` the salt that its splits are made with.

    Args:
        folder: The folder; made where it is not there.
        name: Short name of the round.
        now: The time, with zone; the draft opens then.

    Returns:
        The rules that are to be filled in.

    Raises:
        UsageError: The name cannot be used, or a round is there.
        StoreError: The folder cannot be written.
    """
    why = name_fault(name)
    if why:
        raise UsageError(f"The name '{name[:80]}' cannot be used.", why=why, do="Choose another.")
    check_name(folder)
    place = RoundFolder(folder)
    for path in (place.rules_file, place.round_file, place.private, place.database):
        if exists(path) or path.is_symlink():
            raise UsageError(f"{path} is not overwritten.", why="It exists.", do="Choose another folder.")
    try:
        private_folder(place.private)
        write_secret(place.salt_file, f"{secrets.token_bytes(SALT_BYTES).hex()}\n")
    except OSError as error:
        do = "Free space or choose another folder."
        raise StoreError(f"{folder} could not be written.", why=f"{error.strerror or error}", do=do) from error
    text = _TEMPLATE.format(name=json.dumps(name), now=now.isoformat(timespec="seconds"), fill=FILL_IN)
    atomic_write(place.rules_file, text)
    return place.rules_file


def write_secret(path: Path, text: str) -> None:
    """Write a new file that only its owner can read.

    Raises:
        OSError: It is there already, or cannot be written.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


_TEMPLATE = """\
# The rules of a shared task. Fill them in, then: mibench shared-task open FOLDER
# Replace every {fill}; lines that begin with # say nothing. What is under private is never published.

# Short name: ASCII letters, digits, - and dots.
name: {name}
# What it is called, in one line.
title: {fill}
# Who runs it.
organiser: {fill}
# Where questions go: an address or a page.
contact: {fill}
# Its page, if there is one.
# page: https://…

# When it opens and closes, with zone, such as 2030-05-01T23:59:00+02:00.
opens: "{now}"
deadline: {fill}

# What is scored: every task with every model. See mibench list tasks and mibench list models.
#   circuit:  level: edge, node or neuron
#   variable: variables: causal variables of the tasks; left out: all of each
#             heads: such as [7.3, 8.1], for a linear target on a model of which the task knows no heads
#   sae:      hooks: where dictionaries read, such as residual-post.L15; left out: one dictionary, anywhere.
#             models: [] for generated data
cells:
  - track: circuit
    tasks: [ioi]
    models: [{fill}]
    level: edge
  # - track: variable
  #   tasks: [ioi]
  #   models: [smollm2-135m]
  #   variables: [output_position]
  # - track: sae
  #   tasks: [sae-core]
  #   models: [smollm2-135m]
  #   hooks: [residual-post.L15]

# What is ranked: one metric over all cells of a track. See mibench list metrics. The place on a board is by the mean
# of the ranks in its cells. Dictionaries are ranked one by one: a headline of the SAE track is a number of one
# dictionary, not the area of a family.
boards:
  - name: circuits
    track: circuit
    headline: distance_absolute

# What may be handed in, and what scoring may take.
limits:
  file_bytes: 52428800
  total_bytes: 209715200
  # Valid submissions of a team in any seven days.
  valid_per_week: 2
  # Wall-clock seconds and resident memory of scoring one submission on one split.
  seconds: 3600
  memory_bytes: 17179869184
  # Tasks and models that a submission has in each of its tracks, at least.
  min_tasks: 1
  min_models: 1
  # Whether methods are taken too, as code that makes artifacts in the sandbox: evaluate --trust-code runs it.
  accepts_code: false

# Conventions that scoring follows.
scoring:
  # Rows of each data set in each private split.
  rows: 100
  convention: mibench
  dtype: float32
  batch_size: 20

# Known to this machine only.
private:
  # Models that no list has: NAME: FOLDER, in transformers format.
  model_folders: {{}}
  # Held-back text for dictionaries: CORPUS: FILE, a .txt file or .jsonl with "text".
  texts: {{}}
  # Gated rows of tasks whose data are on the hub: TASK: FOLDER.
  folders: {{}}
"""
