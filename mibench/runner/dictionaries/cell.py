"""How a cell of the SAE track is run: method → dictionary → one pass over the task's data → tables → metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mibench.artifacts.dictionaries.checks import check_model, validate_dictionary
from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.engine.activations.capture import width_of
from mibench.engine.dictionaries.coder import Coder
from mibench.methods.dictionary_view import DictionaryView
from mibench.metrics.sae.training_log import training_log
from mibench.records.record import DictionaryFacts
from mibench.runner.cells.meter import Meter
from mibench.runner.cells.work import CellRun, Found, Trade, call_method
from mibench.runner.dictionaries.ground import evaluation_of, facts_of, place_of, source_of
from mibench.runner.dictionaries.make import Recipe, make_dictionary
from mibench.tasks.sae.dictionary_task import load_dictionary_task
from mibench.tracks.sae.evaluation import Scores, Subject


def make(work: CellRun, meter: Meter) -> Dictionary:
    """The dictionary of a cell: handed in, or made by its method now or in an earlier run.

    Raises:
        MibenchError: It is unusable, or the method cannot do what was asked.
    """
    own = work.bench.dictionaries
    own.relay.counter, own.relay.progress = meter, work.observer.stage("discover")
    if work.handed_in is not None:
        found: Dictionary = work.handed_in
        validate_dictionary(found)
    else:
        found = _trained(work, meter)
    check_place(work, found)
    return found


def check_place(work: CellRun, found: Dictionary) -> None:
    """Check that a dictionary is as wide as what it reads and writes.

    Raises:
        ArtifactError: It is not.
    """
    place = place_of(work.job, work.bench)
    if not load_dictionary_task(work.job.task).model:
        source = source_of(work.job, work.bench, work.settings)
        check_model(found, source.d_in, source.d_out)
        return
    model = work.bench.model
    check_model(found, width_of(model, place.hook), width_of(model, place.target))


def _trained(work: CellRun, meter: Meter) -> Dictionary:
    bench, job = work.bench, work.job
    recipe = recipe_of(work)
    view = DictionaryView(
        place=recipe.place,
        source=recipe.source,
        facts=recipe.facts,
        seed=job.seed or 0,
        device=bench.device,
        counter=meter,
        progress=work.observer.stage("discover"),
    )
    again = work.settings.only == "all"
    return make_dictionary(recipe, lambda seen: call_method(work, seen), view, bench.dictionaries, again=again)


def recipe_of(work: CellRun) -> Recipe:
    """What fixes the dictionary of a cell."""
    job, bench, settings = work.job, work.bench, work.settings
    place, source = place_of(job, bench), source_of(job, bench, settings)
    return Recipe(work.cell.method, place, work.cell.model, source, facts_of(job, settings))


def score(work: CellRun, dictionary: Dictionary, meter: Meter) -> Found:
    """Score a dictionary on the task's data, and hold its numbers against its training log."""
    own = work.bench.dictionaries
    found = own.prescored.pop(work.cell.id, None) or score_all([work], [dictionary], meter)[0]
    meter.examples(evaluation_of(work.job, work.bench, work.settings).n_examples)
    cost = None if work.handed_in is not None else own.costs.get(recipe_of(work).key)
    metrics = found.metrics | training_log(found.metrics, dictionary.training.l0, dictionary.training.fvu)
    return Found(found.tables, metrics, dictionary=facts(dictionary), discovery=cost)


def score_all(works: Sequence[CellRun], dictionaries: Sequence[Dictionary], meter: Meter) -> list[Scores]:
    """Score dictionaries of one task, place and model in one pass.

    Raises:
        MibenchError: The data cannot be used with this model.
    """
    work = works[0]
    own, progress = work.bench.dictionaries, work.observer.stage("score")
    own.relay.counter, own.relay.progress = meter, progress
    found = evaluation_of(work.job, work.bench, work.settings)
    bench = work.bench
    subjects = [Subject(one, Coder(one, device=bench.device, dtype=bench.accumulate)) for one in dictionaries]
    return found.score(subjects, progress)


def facts(dictionary: Dictionary) -> DictionaryFacts:
    """What a record says of a dictionary."""
    skip: Literal["skip", "plain"] = "skip" if "w_skip" in dictionary.tensors else "plain"
    training = dictionary.training
    return DictionaryFacts(
        architecture=dictionary.architecture,
        transcoder=None if dictionary.place.output is None else skip,
        d_in=dictionary.d_in,
        d_sae=dictionary.d_sae,
        sha256=dictionary.digest,
        train_tokens=training.tokens,
        train_corpus=training.corpus,
        seed=training.seed,
    )


DICTIONARY = Trade(make, score, None)
