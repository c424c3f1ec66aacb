from __future__ import annotations

import hashlib

import pytest
from submission_cases import FILE, change, entry, good, manifest, write_manifest

from mibench.core.errors import DataError, UsageError
from mibench.intake.check import Asked, check_submission
from mibench.intake.pack import pack_submission
from mibench.intake.rules import Rules

SEALED = Asked(manifest_only=True)


def sealed(parent):
    """A submission whose artifact has been taken out."""
    folder = good(parent)
    (folder / FILE).unlink()
    return folder


def test_a_manifest_without_its_artifacts_passes(tmp_path):
    report = check_submission(sealed(tmp_path), SEALED)
    assert report.passed, report.failures
    assert report.notes == ("1 artifact is sealed, and will be read when handed in.",)
    assert report.n_read == 0
    assert not check_submission(tmp_path / "team__method@1").passed


def test_an_artifact_that_is_there_is_refused(tmp_path):
    (one,) = check_submission(good(tmp_path), SEALED).failures
    assert one.why == "Hand the files to the organisers: they are not to be published before closing."
    assert (one.file, one.index) == (FILE, 0)


def test_a_file_on_the_hub_is_no_sealed_one(tmp_path):
    folder = sealed(tmp_path)
    hub = {"repo": "org/name", "revision": "a" * 40, "path": "b.safetensors"}
    change(folder, first={"file": None, "hub": hub})
    report = check_submission(folder, SEALED)
    assert report.passed
    assert report.notes == ("artifacts[0] is on the hub and was not read: b.safetensors.",)


def test_what_a_manifest_says_is_checked_all_the_same(tmp_path):
    folder = sealed(tmp_path)
    change(folder, first={"tasks": ["planted-inductoin"]}, tracks=["sae"], boards=["mib"], version="2")
    found = [one.what for one in check_submission(folder, SEALED).failures]
    assert "There is no task 'planted-inductoin' in the track circuit." in found
    assert "The tracks do not agree with the artifacts." in found
    assert "The folder has another name than the submission." in found
    folder = sealed(tmp_path / "other")
    change(folder, boards=["mib"])
    assert [one.what for one in check_submission(folder, SEALED).failures] == ["The track circuit covers too little."]


def test_stated_sizes_are_held_to_the_limits(tmp_path):
    folder = good(tmp_path)
    path = folder / FILE
    own = [entry(path, f"artifacts/{n}.safetensors", seed=n, sha256=str(n) * 64, bytes=40) for n in range(3)]
    path.unlink()
    write_manifest(folder, manifest(own))
    limits = Rules(file_bytes=4096, total_bytes=100)
    found = list(check_submission(folder, Asked(limits, manifest_only=True)).failures)
    assert "All files together are stated to have 120 bytes" in " ".join(one.why for one in found)
    change(folder, first={"bytes": 10**9})
    (one,) = check_submission(folder, Asked(Rules(total_bytes=2 * 10**9), manifest_only=True)).failures
    assert one.what == "artifacts/0.safetensors is too large."


def test_the_archive_that_is_handed_in_later_has_the_published_manifest(tmp_path):
    folder = good(tmp_path)
    published = tmp_path / "published.yaml"
    published.write_bytes((folder / "submission.yaml").read_bytes())
    pack_submission(folder, tmp_path / "a.zip")
    digest = hashlib.sha256(published.read_bytes()).hexdigest()
    for where in (published, folder):
        report = check_submission(tmp_path / "a.zip", Asked(published=where))
        assert (report.passed, report.manifest_sha256) == (True, digest)
    published.write_bytes(published.read_bytes() + b"# \n")
    (one,) = check_submission(tmp_path / "a.zip", Asked(published=published)).failures
    assert one.what == "The manifest is not the published one."
    assert digest in one.why
    assert hashlib.sha256(published.read_bytes()).hexdigest() in one.why


def test_a_published_manifest_that_is_none_is_wrong_usage(tmp_path):
    folder = good(tmp_path)
    with pytest.raises(UsageError):
        check_submission(folder, Asked(published=tmp_path / "absent"))
    (tmp_path / "long").write_bytes(b"x" * 2**20)
    with pytest.raises(DataError):
        check_submission(folder, Asked(published=tmp_path / "long"))


def test_the_version_that_is_superseded_is_looked_for(tmp_path):
    folder = good(tmp_path / "submissions", "team__method@2")
    change(folder, version="2", supersedes="1")
    (note,) = check_submission(folder).notes
    assert note == "It supersedes team__method@1, which is not beside it: check the name."
    good(tmp_path / "submissions")
    assert check_submission(folder).notes == ()
    # Where submissions do not lie together, nobody can know.
    elsewhere = good(tmp_path / "elsewhere", "team__method@2")
    change(elsewhere, version="2", supersedes="1")
    assert check_submission(elsewhere).notes == ()
