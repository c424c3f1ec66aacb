"""The site over HTTP, for this machine alone."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from mibench.core.errors import UsageError

HOST = "127.0.0.1"
_NAMES = (HOST, "localhost")


class _Handler(SimpleHTTPRequestHandler):
    """Hands out files below one folder, and says nothing else."""

    def send_head(self) -> Any:
        """Refuse names of other hosts, folders without a page, and what leads out of the folder."""
        root, wanted = Path(self.directory).resolve(), Path(self.translate_path(self.path)).resolve()
        page = wanted / "index.html" if wanted.is_dir() else wanted
        # A page elsewhere could give this address a name of its own, and read what is private.
        named = (self.headers.get("Host") or "").rpartition(":")[0] or self.headers.get("Host")
        if named not in _NAMES or not page.resolve().is_relative_to(root) or not page.is_file():
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Print nothing."""


def site_server(site: Path, port: int) -> ThreadingHTTPServer:
    """Return a server of a site on this machine's own address; `serve_forever` starts it.

    Args:
        site: Folder of the site.
        port: Port; 0: a free one.

    Raises:
        UsageError: There is no site, or the port is taken.
    """
    if not (site / "index.html").is_file():
        raise UsageError(
            f"There is no site at {site}.",
            why="It has no index.html.",
            do="Make it: mibench leaderboard build.",
        )
    try:
        return ThreadingHTTPServer((HOST, port), partial(_Handler, directory=str(site)))
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"Port {port} cannot be used.", why=f"{error}.", do="Choose another with --port; 0 takes a free one."
        ) from error
