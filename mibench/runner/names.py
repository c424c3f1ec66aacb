"""What is wrong with the settings of a run that shows before anything is computed."""

from __future__ import annotations

from mibench.core.errors import DataError, UsageError
from mibench.core.files import check_folder
from mibench.core.names import unknown
from mibench.core.specs import Track
from mibench.runner.grounds import check_places, load_task_of
from mibench.runner.plan import track_of
from mibench.runner.settings import RunSettings
from mibench.runner.sources import find_method
from mibench.runner.variables.controls import check_controls
from mibench.tracks.extras import check_extras


def check_names(settings: RunSettings, track: Track | None = None) -> None:
    """Check what can be checked before anything is computed: tasks, splits, extras, and where records go.

    Args:
        settings: The run.
        track: What is scored; None: what the methods hand in.

    Raises:
        UsageError: An unknown task or split, an extra that the level does not have, or a file where the folder of
            records is to be, or one that cannot be written to.
    """
    _check_executor(settings)
    track = track or track_of([find_method(ref) for ref in settings.methods])
    _check_keys(settings, track)
    if track is Track.CIRCUIT:
        check_extras(frozenset(settings.extras), settings.level)
    elif track is Track.VARIABLE:
        check_controls(frozenset(settings.extras))
    else:
        _check_of_dictionaries(settings)
    check_folder(settings.out)
    for ref in dict.fromkeys([cell.task for cell in settings.chosen_cells] or settings.task):
        try:
            splits = load_task_of(ref, track).splits
        except DataError:  # its cells will say so
            continue
        if settings.split not in splits:
            raise unknown(f"split of {ref}", settings.split, splits)


_OF_VARIABLES = ("variable", "component", "position", "layer", "heads")
_OF_DICTIONARIES = ("hook", "corpus", "context", "bos", "train_tokens", "storage")
_OF_OTHERS = {
    Track.CIRCUIT: (*_OF_VARIABLES, *_OF_DICTIONARIES),
    Track.VARIABLE: ("level", "ablation", "floor_draws", "padded", *_OF_DICTIONARIES),
    Track.SAE: ("level", "ablation", "floor_draws", "padded", *_OF_VARIABLES),
}
"""Settings that mean nothing in a track."""


_TAKES = {"serial": frozenset[str](), "process": frozenset({"workers", "devices"})}
"""Of workers, devices and scheduler, what an executor takes; others take all, or say so themselves."""
_NEEDS = {"workers": "process", "devices": "process", "scheduler": "slurm"}
"""An executor that takes it, to be named."""


def _check_executor(settings: RunSettings) -> None:
    """Refuse means that the executor would ignore.

    Raises:
        UsageError: One of them is given.
    """
    given = {"workers": settings.workers > 1, "devices": bool(settings.devices), "scheduler": bool(settings.scheduler)}
    taken = _TAKES.get(settings.executor, frozenset(given))
    for name, is_given in given.items():
        if is_given and name not in taken:
            said = f"--{name} {settings.workers}" if name == "workers" else f"--{name}"
            raise UsageError(
                f"{said} means nothing with --executor {settings.executor}.",
                why=f"{said} needs --executor {_NEEDS[name]}, or another that takes it.",
                do=f"Add --executor {_NEEDS[name]}, or leave --{name} out.",
            )
        if is_given and settings.artifact and not settings.methods:
            why = "Artifacts are scored in this process, one after another."
            raise UsageError(f"--{name} means nothing for --artifact.", why=why, do=f"Leave --{name} out.")


def _check_of_dictionaries(settings: RunSettings) -> None:
    if settings.against:
        raise UsageError(
            "Dictionaries are not compared one by one.",
            why="Most of their numbers follow how many latents are active, so that the denser one wins.",
            do="Leave --against out; the leaderboard compares families of dictionaries at equal L0.",
        )
    for name in settings.extras:
        raise UsageError(f"'{name}' is not measured of dictionaries.", why="They have no extras.", do="Leave it out.")
    check_places(settings)


def _check_keys(settings: RunSettings, track: Track) -> None:
    """Refuse settings that would be ignored.

    Raises:
        UsageError: One is of another track.
    """
    for name in _OF_OTHERS.get(track, ()):
        if name in settings.model_fields_set and getattr(settings, name) != RunSettings.model_fields[name].get_default(
            call_default_factory=True
        ):
            raise UsageError(
                f"'{name.replace('_', '-')}' means nothing here.",
                why=f"What is scored is of the {track} track.",
                do="Leave it out, or use a method of the other track.",
            )
