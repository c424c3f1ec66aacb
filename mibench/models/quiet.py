"""Keep transformers and the hub client from writing to the terminal."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from logging import ERROR, getLogger


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence progress bars, log lines and warnings inside the block, and restore them after it."""
    from huggingface_hub import utils as hub
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    hub_bars = not hub.are_progress_bars_disabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    accelerate = getLogger("accelerate")
    level = accelerate.level
    accelerate.setLevel(ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
        accelerate.setLevel(level)
        if bars:
            logging.enable_progress_bar()
        (hub.enable_progress_bars if hub_bars else hub.disable_progress_bars)()
