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
from mibench.runner.variable_controls import check_controls
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
