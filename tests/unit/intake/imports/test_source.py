"""Folders, archives and hub repositories as sources: what is unsafe is refused, what is missing is said."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile

import foreign_submissions as foreign
import pytest

from mibench.core.errors import DataError, ModelError, UsageError
from mibench.intake.imports.scan import scan
from mibench.intake.imports.source import opened
from mibench.intake.imports.unpack import name_fault, unpack
from mibench.intake.rules import Rules

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TRIPLET = "ResidualStream(Layer-0,Token-last_token)_featurizer"


def names(source):
    return {path.relative_to(source.folder).as_posix() for path in source.folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "mine"
    foreign.importances(place / "ioi_interpbench")
    (place / "das").mkdir()
    (place / "das" / TRIPLET).write_bytes(b"x")
    return place


def packed(folder, target, top=""):
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    if target.suffix == ".zip":
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in paths:
                archive.write(path, top + path.relative_to(folder).as_posix())
    else:
        with tarfile.open(target, "w:gz" if target.name.endswith("gz") else "w") as archive:
            for path in paths:
                archive.add(path, top + path.relative_to(folder).as_posix())
    return target


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tgz"])
@pytest.mark.parametrize("top", ["", "mine/"])
def test_archives_are_unpacked_with_mibs_own_names(tmp_path, folder, suffix, top):
    path = packed(folder, tmp_path / f"a{suffix}", top)
    with opened(str(path)) as source:
        assert names(source) == {"ioi_interpbench/importances.json", f"das/{TRIPLET}"}
        assert source.name == ("mine" if top else path.name)
        place = source.folder
    assert not place.exists()


def zipped(tmp_path, *members):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, *mode in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (mode[0] if mode else stat.S_IFREG | 0o644) << 16
            archive.writestr(info, content)
    return tmp_path / "a.zip"


@pytest.mark.parametrize(
    "name", ["../x", "/x", "a/../../x", "a//x", "C:/x", "a\\x", "a\nb", "a/./x", "x" * 300, "d/" * 20 + "x", "./x"]
)
def test_names_that_lead_elsewhere_are_refused(tmp_path, name):
    with pytest.raises(DataError, match="cannot be unpacked"), opened(str(zipped(tmp_path, (name, b"1")))):
        pass
    assert name_fault(name)


def test_links_are_left_out_and_named(tmp_path, folder):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(folder / "das" / TRIPLET, f"a/{TRIPLET}")
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            link = tarfile.TarInfo(f"a/link{kind.decode()}")
            link.type, link.linkname = kind, "/etc/passwd"
            archive.addfile(link)
    with opened(str(tmp_path / "a.tar")) as source:
        assert names(source) == {TRIPLET}
        assert len(source.left_out) == 3
    path = zipped(tmp_path, ("a/link", b"/etc/passwd", stat.S_IFLNK | 0o777), ("a/x.json", b"{}"))
    with opened(str(path)) as source:
        assert names(source) == {"x.json"}


def test_bombs_and_doubles_are_refused(tmp_path):
    cases = {
        "grows": [("a/x", bytes(30_000_000))],
        "twice": [("a/X", b"1"), ("a/x", b"2")],
        "inside it": [("a", b"1"), ("a/x", b"2")],
    }
    for said, members in cases.items():
        with pytest.raises(DataError) as caught:
            unpack(zipped(tmp_path, *members), tmp_path / "out")
        assert said in caught.value.why
    path = zipped(tmp_path, *((f"a/{number}", b"1") for number in range(30)))
    for rules, said in (
        (Rules(files=20), "members"),
        (Rules(total_bytes=1000, file_bytes=10), ""),
        (Rules(total_bytes=10**6, file_bytes=0), "limit is 0"),
    ):
        with pytest.raises(DataError) as caught:
            unpack(path, tmp_path / "out", rules)
        assert said in caught.value.why
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_what_is_no_archive_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"nothing" * 200)
    with pytest.raises(DataError, match="cannot be unpacked"), opened(str(tmp_path / name)):
        pass


def test_a_damaged_archive_is_refused(tmp_path, folder):
    path = packed(folder, tmp_path / "a.zip")
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 255
    path.write_bytes(content)
    with pytest.raises(DataError), opened(str(path)):
        pass
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        archive.add(folder, "mine")
    (tmp_path / "b.tgz").write_bytes(stream.getvalue()[:-200])
    with pytest.raises(DataError), opened(str(tmp_path / "b.tgz")):
        pass


def test_other_things_are_no_source(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    for path, said in ((tmp_path / "a.txt", "no folder"), (tmp_path / "absent", "no such")):
        with pytest.raises(UsageError) as caught, opened(str(path)):
            pass
        assert said in caught.value.why


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub cache with one repository, laid out as the hub's own, and no network."""
    cache = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    repo = cache / "models--org--circuits"
    (repo / "refs").mkdir(parents=True)
    (repo / "blobs").mkdir()
    (repo / "refs" / "main").write_text(COMMIT)
    snapshot = repo / "snapshots" / COMMIT
    for number, name in enumerate([f"sub/das/{TRIPLET}", "sub/featurizer.py", "README.md"]):
        (repo / "blobs" / str(number)).write_text(name)
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).symlink_to(repo / "blobs" / str(number))
    return snapshot


def test_a_repository_of_the_cache_is_copied_as_plain_files(hub):
    with opened(f"hub:org/circuits@{COMMIT}") as source:
        assert names(source) == {f"sub/das/{TRIPLET}", "sub/featurizer.py", "README.md"}
        assert source.name == "circuits"
        assert not any(path.is_symlink() for path in source.folder.rglob("*"))
        assert (source.folder / "README.md").read_text() == "README.md"
    with opened(f"hub:org/circuits@{COMMIT}/sub/das") as source:
        assert (names(source), source.name) == ({TRIPLET}, "das")


def test_a_link_out_of_the_repository_is_left_out(hub, tmp_path):
    (tmp_path / "secret").write_text("x")
    (hub / "secret").symlink_to(tmp_path / "secret")
    with opened(f"hub:org/circuits@{COMMIT}") as source:
        assert "secret" not in names(source)
        assert "link to elsewhere" in source.left_out["secret"]


@pytest.mark.parametrize("revision", ["", "@main", "@0123abc", f"@{COMMIT.upper()}", f"@{COMMIT}0"])
def test_a_revision_has_to_be_pinned(hub, revision):
    with pytest.raises(UsageError, match="not pinned") as caught, opened(f"hub:org/circuits{revision}"):
        pass
    assert "hub:org/circuits@REVISION" in caught.value.do


@pytest.mark.parametrize(
    "where",
    [f"org/circuits@{COMMIT}/../x", f"circuits@{COMMIT}", f"org/circuits@{COMMIT}/*", f"org/circuits@{COMMIT}/absent"],
)
def test_places_that_are_none_are_refused(hub, where):
    with pytest.raises(UsageError), opened(f"hub:{where}"):
        pass


def test_without_a_connection_it_is_said_what_to_do(hub):
    with pytest.raises(ModelError) as caught, opened(f"hub:org/other@{COMMIT}"):
        pass
    assert "HF_HUB_OFFLINE is set" in caught.value.why
    assert f"hf download org/other --revision {COMMIT}" in caught.value.do
    assert "give FOLDER" in caught.value.do


def test_a_folder_with_too_much_in_it_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("mibench.intake.imports.scan.RULES", Rules(files=5))
    for number in range(7):
        (tmp_path / str(number)).write_text("x")
    with pytest.raises(UsageError, match="too large to import"):
        scan(tmp_path)


def test_a_folder_that_is_too_deep_is_listed(tmp_path):
    deep = tmp_path.joinpath(*"abcdefghijklmnop")
    foreign.importances(deep)
    found = scan(tmp_path)
    assert not found.circuits
    assert "folders deep" in next(iter(found.ignored.values()))
