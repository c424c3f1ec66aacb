"""The page of latents through the command line, on a tiny network and a hostile text."""

from __future__ import annotations

import json

import pytest
from dictionary_examples import example
from stand_in import write_model, write_rows

from mibench.artifacts.dictionaries.native import save_dictionary


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A folder with a model, and a text file."""
    folder = tmp_path_factory.mktemp("network")
    rows = write_rows(folder / "rows", 30)
    text = folder / "text.txt"
    text.write_text("\f".join(row["prompt"] for row in rows))
    return write_model(folder / "model", rows), text


@pytest.fixture
def cards(run, network, tmp_path):
    """Runs the command on that model and text."""
    model, text = network
    file = tmp_path / "sae.safetensors"
    save_dictionary(example("topk", 16, 24, model="", layer=1, k=4), file)

    def call(*words, file=file, out="cards.html"):
        ground = ("--model", model, "--corpus", text, "--context", 16, "--split", "train", "--tokens", 300)
        return run("cards", file, *ground, "--out", tmp_path / out, *words)

    return call


def test_a_page_is_written_and_the_same_command_gives_the_same_bytes(cards, tmp_path):
    ran = cards("--latents", 6, "--json")
    assert ran.status == 0, ran.err
    told = json.loads(ran.out)
    assert len(told["latents"]) == 6
    assert told["tokens"] >= 300
    assert 0 < told["l0"] <= 4
    page = (tmp_path / "cards.html").read_bytes()
    assert all(f'id="latent-{latent}"'.encode() in page for latent in told["latents"])
    assert cards("--latents", 6, out="again.html").status == 0
    assert (tmp_path / "again.html").read_bytes() == page


def test_a_page_is_not_overwritten_unasked_and_its_suffix_is_checked(cards, tmp_path):
    there = tmp_path / "mine.html"
    there.write_text("mine")
    for out, said in (("mine.html", "not overwritten"), ("cards.pdf", "no known format")):
        ran = cards(out=out)
        assert (ran.status, said in ran.err) == (2, True)
    assert there.read_text() == "mine"


def test_a_dictionary_of_another_width_or_no_dictionary_is_refused(cards, tmp_path):
    save_dictionary(example("relu", 12, 24, model="", layer=1), tmp_path / "narrow.safetensors")
    ran = cards(file=tmp_path / "narrow.safetensors")
    assert ran.status == 1
    assert "Traceback" not in ran.err
    (tmp_path / "none.safetensors").write_bytes(b"nothing")
    ran = cards(file=tmp_path / "none.safetensors")
    assert ran.status == 1
    assert "Traceback" not in ran.err
    assert not (tmp_path / "cards.html").exists()


def test_the_title_of_a_transcoders_page_names_both_places(cards, tmp_path):
    file = tmp_path / "transcoder.safetensors"
    save_dictionary(example("relu", 16, 24, d_out=16, model="", layer=1), file)
    assert cards("--latents", 2, file=file).status == 0
    assert "transcoder at mlp-in.L1-&gt;mlp-out.L1" in (tmp_path / "cards.html").read_text()


def test_the_help_has_an_example(run):
    assert "mibench cards" in run("cards", "--help").out.split("Example:")[1]
