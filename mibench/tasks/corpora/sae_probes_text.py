"""Prompts of the probing data sets that the package sae-probes ships."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from mibench.core.errors import DataError
from mibench.tasks.corpora.corpus import Document, corpus
from mibench.tasks.corpora.packages import folder_of, installed

_INSTALL = "pip install --no-deps sae-probes, and pip install 'mibench[corpora]' to unpack it"


@corpus(
    name="sae-probes-text",
    version=1,
    licence="mixed, not verified (texts), MIT (package)",
    package="sae-probes",
    citation="Kantamneni et al. 2025, arXiv:2502.16681",
    notes="Short texts of many sources, some of them near-duplicates: those may fall into different splits.",
)
def sae_probes_text() -> Iterator[Document]:
    """Prompts of 155 probing data sets; one prompt a document."""
    folder = folder_of("sae_probes", _INSTALL) / "data" / "cleaned_data"
    files = sorted(folder.glob("*.csv.zst"))
    if not files:
        raise DataError("sae-probes has no prompts.", why=f"{folder} has no .csv.zst.", do=f"Run {_INSTALL}.")
    for path in files:
        yield from _prompts(path)


def _prompts(path: Path) -> Iterator[Document]:
    zstandard = installed("zstandard", _INSTALL)
    name = path.name.removesuffix(".csv.zst")
    try:
        rows = pd.read_csv(path, usecols=["prompt"], dtype=str, keep_default_na=False, compression="zstd")
    except (OSError, ValueError, zstandard.ZstdError) as error:
        why = f"{type(error).__name__}: {str(error)[:300]}"
        raise DataError(f"{path} cannot be read.", why=why, do=f"Run {_INSTALL}.") from error
    for index, prompt in enumerate(rows["prompt"]):
        yield Document(str(prompt), f"{name}/{index}", {"data": name})
