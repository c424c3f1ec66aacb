"""Code and its documentation, from the Python that runs: nothing has to be installed."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from pathlib import Path

from mibench.tasks.corpora.corpus import Document, corpus

_LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"}
_MAX_BYTES = 4 * 1024 * 1024


@corpus(
    name="python-stdlib",
    version=1,
    licence="PSF-2.0",
    citation="Python Software Foundation, the Python standard library",
    notes="It is that of the running Python: numbers made with another Python are of another text.",
)
def python_stdlib() -> Iterator[Document]:
    """Source files of Python's standard library, tests left out; one file a document."""
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        inner = path.relative_to(root)
        if _LEFT_OUT.isdisjoint(inner.parts) and path.stat().st_size <= _MAX_BYTES:
            # Some files declare another encoding than UTF-8; none of them is needed.
            text = path.read_bytes().decode("utf-8", "ignore")
            yield Document(text, inner.as_posix(), {"package": inner.parts[0].removesuffix(".py")})
