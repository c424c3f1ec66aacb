"""``--model-folder NAME=FOLDER``: models of this machine that no list has."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

model_folder_option = click.option(
    "--model-folder",
    "folders",
    multiple=True,
    metavar="NAME=FOLDER",
    help="A model that no list has, in transformers format. Repeats.",
)


def named_folders(texts: Sequence[str]) -> dict[str, Path]:
    """Return the folders that are given as NAME=FOLDER.

    Raises:
        UsageError: One is not written so, or there is no such folder.
    """
    from mibench.core.errors import UsageError
    from mibench.core.files import is_folder

    named = {}
    for text in texts:
        name, equals, folder = text.partition("=")
        path = Path(os.path.abspath(os.path.expanduser(folder)))  # noqa: PTH100, PTH111  the home of nobody is none
        if not (name and equals and is_folder(path)):
            why = "It is not NAME=FOLDER, or there is no such folder."
            raise UsageError(f"--model-folder {text[:200]} cannot be used.", why=why, do="Correct it.")
        named[name] = path
    return named
