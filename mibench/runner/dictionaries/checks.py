"""What is wrong with jobs of the SAE track that shows before a model is loaded."""

from __future__ import annotations

from collections.abc import Sequence

from mibench.core.errors import DataError, MethodError, UsageError
from mibench.core.hook_points import HookPoint
from mibench.core.specs import Track
from mibench.methods.dictionaries.recipe import check_kept, check_target
from mibench.runner.dictionaries.forecast import model_size
from mibench.runner.dictionaries.ground import TO
from mibench.runner.plan import Job


def check_jobs(jobs: Sequence[Job]) -> None:
    """Check hook points and sparsities of all jobs, so that a wrong one does not show after hours of the others.

    A model whose size is not known without loading it is left to its jobs.

    Raises:
        UsageError: A hook point is none of the model, or more latents are to be active than there are.
    """
    own = [job for job in jobs if job.track is Track.SAE]
    for model, hook in dict.fromkeys((job.model, job.hook) for job in own):
        if hook is not None:
            _check_hook(model, hook)
    for job in own:
        if job.method.code_digest is None:  # a parameter of that name may mean something else in a user's method
            _check_sparsity(job)


def _check_hook(model: str, hook: str) -> None:
    try:
        points = [HookPoint.parse(part.strip()) for part in hook.split(TO, 1)]
    except DataError as error:
        raise UsageError(error.what, why=error.why, do=error.do) from error
    size = model_size(model)
    for point in points:
        if size is not None and point.layer >= size.n_layers:
            why = f"{model} has the layers 0 to {size.n_layers - 1}."
            raise UsageError(f"The model has no hook point '{point.name}'.", why=why, do="Give one of these layers.")


def _check_sparsity(job: Job) -> None:
    width, k, l0 = (job.params.get(name) for name in ("width", "k", "l0"))
    try:
        if isinstance(width, int) and isinstance(k, int):
            check_kept(k, width)
        if isinstance(width, int) and isinstance(l0, int | float) and job.params.get("coefficient") is None:
            check_target(l0, width)
    except MethodError as error:
        raise UsageError(error.what, why=error.why, do=error.do) from error
