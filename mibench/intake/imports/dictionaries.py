"""Dictionaries: folders of SAELens, dictionary_learning and sparsify, files of Gemma Scope, and mibench's own."""

from __future__ import annotations

from dataclasses import replace

from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.artifacts.dictionary_files import format_of, load_dictionary
from mibench.core.errors import ArtifactError
from mibench.intake.imports.context import Context
from mibench.intake.imports.items import Item, Said, settle
from mibench.intake.imports.words import in_names
from mibench.models.catalogue import CATALOGUE, names_of
from mibench.tasks.sae.dictionary_task import is_generated

TASK = "sae-core"
_HOOK = "--hook"


def read(item: Item, context: Context) -> Dictionary | None:
    """Read a dictionary, and find out what it is for.

    Returns:
        The dictionary, its model under the name that is used here; None: something has to be asked.

    Raises:
        ArtifactError: It cannot be used, or its files contradict what is said.
        DataError: What is said is no hook point.
    """
    path = item.found.paths[0]
    item.said["format"] = Said(str(format_of(path)), "names of files and tensors")
    found = _load(item, context)
    if found is None:
        settle(item, "model", context.answers, in_names(context.names(item), "model"), "Its files do not say.")
        return None
    if is_generated(found.place.model):
        item.said["task"] = Said(found.place.model, "its files")
        return found
    task = context.answers.of("task", item.place) or context.answers.all("task")
    item.said["task"] = task or Said(TASK, "the first task of its track; nothing else is said")
    model = _settle_model(item, found, context)
    return None if model is None else replace(found, place=replace(found.place, model=model))


def _load(item: Item, context: Context) -> Dictionary | None:
    path = item.found.paths[0]
    model, hook = context.answers.of("model", item.place), context.answers.of("hook", item.place)
    said_model = None if model is None else model.value
    try:
        found = load_dictionary(path, model=said_model, hook=None if hook is None else hook.value)
    except ArtifactError as error:
        # So its readers end where nobody says the place.
        if hook is not None or _HOOK not in error.do:
            raise
        hook = context.answers.all("hook")
        if hook is None:
            item.ask(_HOOK, error.why)
            return None
        found = load_dictionary(path, model=said_model, hook=hook.value)
    item.said["hook"] = hook or Said(found.place.text, "its files")
    context.answers.agrees("hook", found.place.text)
    return found


def _settle_model(item: Item, found: Dictionary, context: Context) -> str | None:
    own = found.place.model
    known = [Said(name, "its files") for name in CATALOGUE if own.casefold() in names_of(name)]
    if not own:
        known = in_names(context.names(item), "model")
    why = f"Its files say '{own:.80}', which is no model that is known here." if own else "Its files do not say."
    return settle(item, "model", context.answers, known, why)
