"""What a cell of the SAE track is about: the place, the text, the data it is scored on, and its id."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from mibench.artifacts.dictionaries.dictionary import Place, TrainingFacts
from mibench.core.errors import UsageError
from mibench.core.hook_points import HookPoint
from mibench.core.specs import Cell, DictionaryRef, MethodRef, TaskRef, Track
from mibench.engine.activations.source import ActivationSource
from mibench.engine.activations.store import StoreRequest, open_store
from mibench.models.cache import cache_root
from mibench.runner.dictionaries.nulls import NULL_TOKENS, FrozenNulls
from mibench.runner.dictionaries.small import WORDS, small_settings
from mibench.runner.plan import Job
from mibench.runner.settings import RunSettings
from mibench.tasks.corpora.blocks import TokenBlocks, token_blocks
from mibench.tasks.corpora.load import load_corpus
from mibench.tasks.sae.dictionary_task import load_dictionary_task
from mibench.tracks.sae.evaluation import Evaluation, Ground, Network, Text

if TYPE_CHECKING:
    from mibench.runner.cells.workbench import Workbench

TO = "->"
"""Between what a transcoder reads and what it reconstructs."""
GENERATED = DictionaryRef(hook="generated", corpus="generated", context=1)
"""Where a dictionary works in tasks whose data are generated."""


def place_of(job: Job, bench: Workbench) -> Place:
    """Where the dictionary of a job works; without a word on it, the residual stream half-way up.

    Raises:
        DataError: The hook point's name is none.
    """
    if not load_dictionary_task(job.task).model:
        return Place(job.task, HookPoint(0))
    name = bench.hf.name
    if job.hook is None:
        return Place(name, HookPoint(bench.model.anatomy.n_layers // 2))
    read, arrow, written = (part.strip() for part in job.hook.partition(TO))
    hook = HookPoint.parse(read)
    output = HookPoint.parse(written) if arrow else hook
    # What reconstructs what it reads is no transcoder, however it is written: one place, one cell id.
    return Place(name, hook, None if output == hook else output)


def text_of(settings: RunSettings) -> Text:
    """The text of a run."""
    return Text(settings.corpus, settings.context, settings.bos)


def network_of(bench: Workbench) -> Network:
    """The model of a bench, as families take it."""
    return Network(bench.model, bench.model_ref, bench.hf.tokenizer)


def evaluation_of(job: Job, bench: Workbench, settings: RunSettings) -> Evaluation:
    """The data that a job's dictionary is scored on, prepared once for all dictionaries of a place.

    Raises:
        UsageError: Unknown task, split, corpus or package.
        DataError: The data cannot be used with this model, or the place is none.
    """
    task, place = load_dictionary_task(job.task), place_of(job, bench)
    own, text = bench.dictionaries, text_of(settings)
    shown = (settings.split, settings.limit, settings.convention, settings.storage)
    key = (job.task, place, text, *shown, settings.train_tokens if settings.tiny else None)
    if key not in own.evaluations:
        ground = Ground(
            place=place,
            text=text,
            network=network_of(bench) if task.model else None,
            split=settings.split,
            limit=settings.limit,
            convention=settings.convention,
            cache=_folder(settings),
            batch_tokens=settings.batch_tokens or Ground.batch_tokens,
            nulls=FrozenNulls(bench, place, lambda: _source(bench, place, settings, _null_tokens(settings)))
            if task.model
            else None,
            counter=own.relay,
            progress=own.relay,
            words=WORDS if settings.tiny else None,
        )
        family = importlib.import_module(f"mibench.tracks.sae.{task.family}")
        own.evaluations[key] = family.prepare(small_settings(task.settings) if settings.tiny else task.settings, ground)
    return own.evaluations[key]


def _null_tokens(settings: RunSettings) -> int:
    return min(NULL_TOKENS, settings.train_tokens) if settings.tiny else NULL_TOKENS


def source_of(job: Job, bench: Workbench, settings: RunSettings) -> ActivationSource:
    """Training activations of a job: the task's own, or those of the training text.

    Raises:
        UsageError: Unknown task, corpus or package.
        DataError: The text cannot be used with this model.
    """
    own = evaluation_of(job, bench, settings).source
    return own or _source(bench, place_of(job, bench), settings, settings.train_tokens)


def facts_of(job: Job, settings: RunSettings) -> TrainingFacts:
    """What is known of the training text of a job."""
    if not load_dictionary_task(job.task).model:
        return TrainingFacts(corpus=job.task)
    return TrainingFacts(
        corpus=settings.corpus,
        context=settings.context,
        bos=settings.bos,
        trained_on_bos=False if settings.bos else None,
    )


def _source(bench: Workbench, place: Place, settings: RunSettings, tokens: int) -> ActivationSource:
    sources = bench.dictionaries.sources
    key = (place, text_of(settings), tokens, settings.storage)
    if key not in sources:
        relay = bench.dictionaries.relay
        request = StoreRequest(
            model=bench.model,
            ref=bench.model_ref,
            blocks=_training_blocks(bench, settings, tokens),
            place=place,
            folder=_folder(settings),
            batch_tokens=settings.batch_tokens or Ground.batch_tokens,
            counter=relay,
            progress=relay,
        )
        sources[key] = open_store(request)
    return sources[key]


def _training_blocks(bench: Workbench, settings: RunSettings, tokens: int) -> TokenBlocks:
    if bench.hf.tokenizer is None:
        raise UsageError(
            f"{settings.corpus} is text, and {bench.hf.name} has no tokenizer.",
            why="It has to be turned into token ids.",
            do="Use a model with a tokenizer.",
        )
    return token_blocks(
        load_corpus(settings.corpus),
        "train",
        bench.hf.tokenizer,
        context=settings.context,
        bos=settings.bos,
        tokens=tokens,
    )


def _folder(settings: RunSettings) -> Path | None:
    return cache_root() / "activations" if settings.storage == "disk" else None


def dictionary_cell_with(method: MethodRef, job: Job, bench: Workbench, settings: RunSettings) -> Cell:
    """The cell of a method reference, or of a dictionary that was handed in, on the job's task and place."""
    task, place = load_dictionary_task(job.task), place_of(job, bench)
    found = evaluation_of(job, bench, settings)
    trained = source_of(job, bench, settings) if "train" in job.method.needs else None
    return Cell(
        track=Track.SAE,
        task=TaskRef(
            name=task.name,
            version=task.version,
            split=settings.split,
            limit=found.n_examples,
            digest=found.digest,
            train_limit=None if trained is None else trained.n_tokens,
            train_digest=None if trained is None else trained.digest,
        ),
        model=bench.model_ref,
        method=method,
        bos=task.bos or ("prepend" if settings.bos and task.model else "as-given"),
        convention=settings.convention,
        dictionary=dictionary_ref(place, settings) if task.model else GENERATED,
    )


def dictionary_ref(place: Place, settings: RunSettings) -> DictionaryRef:
    """A place with its text, as cells name them."""
    return DictionaryRef(
        hook=place.hook.name,
        output=None if place.output is None else place.output.name,
        corpus=settings.corpus,
        context=settings.context,
    )
