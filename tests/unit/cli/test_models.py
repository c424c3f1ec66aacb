from __future__ import annotations

import pytest


def test_the_list_says_what_is_on_this_machine(run, smollm2_folder):
    rows = {row["name"]: row for row in run("models", "list", "--json").json}
    assert rows["smollm2-135m"]["here"] is True
    assert "llama-3.1-8b" in rows


def test_nothing_is_here_with_an_empty_cache(run, private_cache):
    rows = {row["name"]: row["here"] for row in run("models", "list", "--json").json}
    assert rows["smollm2-135m"] is False


def test_pulling_what_is_here_tells_where_and_the_note(run, smollm2_folder):
    ran = run("models", "pull", "smollm2-135m", "--json")
    assert ran.json["folder"] == str(smollm2_folder)
    assert "dequantised from GGUF Q4_1" in ran.json["note"]


def test_progress_goes_to_standard_error(run, monkeypatch, tmp_path):
    def pull(name, *, source, progress):
        progress(f"Fetching {name} from {source}")
        return tmp_path

    monkeypatch.setattr("mibench.models.pull.pull", pull)
    ran = run("models", "pull", "gpt2", "--from", "hub", "--json")
    assert ran.err == "Fetching gpt2 from hub …\n"
    assert ran.json["folder"] == str(tmp_path)


@pytest.mark.parametrize("content", [b"", b"GGUF nothing"])
def test_a_file_that_is_not_the_model_is_status_1(run, private_cache, tmp_path, content):
    wrong = tmp_path / "wrong.gguf"
    wrong.write_bytes(content)
    ran = run("models", "pull", "smollm2-135m", "--from", wrong)
    assert ran.status == 1
    assert "98362432 are wanted" in ran.err
    assert not list(private_cache.rglob("*.gguf"))
