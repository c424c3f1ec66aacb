"""The site is served to this machine, and nothing beside it."""

from __future__ import annotations

import http.client
import threading
from pathlib import Path

import pytest

from mibench.core.errors import UsageError
from mibench.leaderboard.serving import site_server


@pytest.fixture
def port(tmp_path: Path):
    site = tmp_path / "site"
    (site / "records").mkdir(parents=True)
    (site / "index.html").write_text("first page")
    (site / "records" / "one.html").write_text("a record")
    (tmp_path / "secret.txt").write_text("secret")
    (site / "link.txt").symlink_to(tmp_path / "secret.txt")
    with site_server(site, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def get(port: int, path: str, host: str = "127.0.0.1") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest("GET", path, skip_host=True)
    connection.putheader("Host", f"{host}:{port}")
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_pages_are_served(port) -> None:
    assert get(port, "/") == (200, b"first page")
    assert get(port, "/records/one.html", "localhost") == (200, b"a record")


@pytest.mark.parametrize(
    "path",
    ["/../secret.txt", "/%2e%2e/secret.txt", "/records/..%2f..%2fsecret.txt", "//etc/passwd", "/link.txt", "/records/",
     "/missing.html"],
)  # fmt: skip
def test_nothing_outside_and_no_list_of_a_folder_is(port, path) -> None:
    status, body = get(port, path)
    assert status == 404
    assert b"secret" not in body.replace(path.encode(), b"")


def test_a_page_elsewhere_cannot_read_it_under_another_name(port) -> None:
    assert get(port, "/", "evil.example")[0] == 404


def test_there_has_to_be_a_site_and_a_free_port(tmp_path: Path, port) -> None:
    with pytest.raises(UsageError, match="no site"):
        site_server(tmp_path / "nowhere", 0)
    for taken in (port, 70_000):
        with pytest.raises(UsageError, match="cannot be used"):
            site_server(tmp_path / "site", taken)
