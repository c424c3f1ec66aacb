"""Whether a job fits its device: what it needs at its batch size, what there is, and what would fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mibench.core.amounts import size
from mibench.core.errors import MibenchError, ModelError
from mibench.core.specs import Ablation, Track
from mibench.engine.batches import MAX_TOKENS
from mibench.models.footprint import ITEM_BYTES, Footprint, footprint
from mibench.runner.cells.batch_sizes import of_at_most
from mibench.runner.forecasts.device_memory import memory_for, total_memory
from mibench.runner.forecasts.prompt_sizes import n_examples, prompt_sizes
from mibench.runner.forecasts.working_memory import (
    Load,
    attribution,
    dictionary,
    evaluation,
    featurizer_training,
    gradient_drop,
    interchange,
    mask_training,
    plain_training,
)
from mibench.runner.grounds import NO_MODEL
from mibench.runner.plan import Job
from mibench.runner.settings import RunSettings

WITHIN = 1.5
"""Factor within which the working memory is known; what may fit is not refused."""
TEXT_TOKENS = 2048
"""Tokens of a pass over a text, by default."""
_RUNTIME = {"cpu": 7e8, "cuda": 5e8}
"""Of Python with torch and transformers, or of a context on a card."""
_GUESSED_ROWS = 32


@dataclass(frozen=True)
class Needed:
    """Memory of a job.

    Attributes:
        weights: Bytes of the weights.
        folded: Bytes of what the engine makes of them.
        working: Bytes that its largest stage holds besides, known within a factor.
        runtime: Bytes of Python or of a context.
    """

    weights: int
    folded: int
    working: int
    runtime: int

    @property
    def total(self) -> int:
        """All together."""
        return self.weights + self.folded + self.working + self.runtime

    @property
    def least(self) -> int:
        """What it surely takes."""
        return self.total - self.working + int(self.working / WITHIN)

    @property
    def most(self) -> int:
        """What it takes at most, as far as is known."""
        return self.total - self.working + int(self.working * WITHIN)


def needed(job: Job, settings: RunSettings) -> Needed | None:
    """Memory that a job needs under its settings; None where its model's configuration is not here."""
    size = None if job.model == NO_MODEL else footprint(job.model)
    if size is None or settings.dtype not in ITEM_BYTES:
        return None
    dtype = settings.dtype
    folded = size.folded_bytes(dtype) if job.track is Track.CIRCUIT else 0
    runtime = _RUNTIME.get(settings.device.partition(":")[0], 0.0)
    return Needed(size.weight_bytes(dtype), folded, int(_working(job, settings, size)), int(runtime))


def fit_problem(job: Job, settings: RunSettings) -> MibenchError | None:
    """Why a job would not fit what is free now; None: it may, or it cannot be told.

    Nothing is loaded or fetched. What is said not to fit takes more than there is even if the estimate of its working
    memory is too high by the factor within which it is known.
    """
    return _misfit(job, settings, memory_for(settings.device))


def refusal(job: Job, settings: RunSettings) -> MibenchError | None:
    """Why a job is not begun: it fits its device at no batch size, even with the device to itself; None: it is begun.

    Where memory runs out, batches are halved, down to one pair.
    """
    return _misfit(job, of_at_most(settings, 1), total_memory(settings.device))


def _misfit(job: Job, settings: RunSettings, there: int | None) -> MibenchError | None:
    need = needed(job, settings)
    if need is None or there is None or need.least <= there:
        return None
    parts = {"weights": need.weights, "folded weights": need.folded, "its largest stage": need.working}
    said = ", ".join(f"{size(part)} {name}" for name, part in parts.items() if part)
    return ModelError(
        f"{job.method.name} on {job.model} does not fit {settings.device}.",
        why=f"It needs about {size(need.total)} at --batch-size {settings.batch_size} ({said}); "
        f"there are {size(there)}.",
        do=_advice(job, settings, there),
    )


def _advice(job: Job, settings: RunSettings, there: int) -> str:
    found = list(_that_fit(job, settings, there))
    need = needed(job, settings)
    device = f"a device with {size(need.total)}" if need else "a larger device"
    return f"Use {', or '.join([*found, device])}."


def _that_fit(job: Job, settings: RunSettings, there: int) -> Iterator[str]:
    """Settings under which the job would fit, each by itself, then both together."""
    narrow = {"float64": "float32", "float32": "bfloat16"}.get(settings.dtype)
    smaller = _batch_that_fits(job, settings, there)
    if smaller is not None:
        yield smaller
    if narrow is None:
        return
    other = settings.model_copy(update={"dtype": narrow})
    if _fits(job, other, there):
        yield f"--dtype {narrow}, which gives other cells"
    elif smaller is None:
        both = _batch_that_fits(job, other, there)
        if both is not None:
            yield f"--dtype {narrow} with {both}"


def _batch_that_fits(job: Job, settings: RunSettings, there: int) -> str | None:
    text = job.track is Track.SAE
    now = (settings.batch_tokens or TEXT_TOKENS) if text else settings.batch_size
    name, key = ("--batch-tokens", "batch_tokens") if text else ("--batch-size", "batch_size")
    while now > 1:
        now //= 2
        if _fits(job, settings.model_copy(update={key: now}), there):
            return f"{name} {now}"
    return None


def _fits(job: Job, settings: RunSettings, there: int) -> bool:
    need = needed(job, settings)
    return need is not None and need.total <= there


def _working(job: Job, settings: RunSettings, size: Footprint) -> float:
    if job.track is Track.SAE:
        return _of_dictionary(job, settings, size)
    stages = _of_variable if job.track is Track.VARIABLE else _of_circuit
    return max(stages(job, settings, size))


def _of_variable(job: Job, settings: RunSettings, size: Footprint) -> Iterator[float]:
    """Bytes of the stages of a cell of the variable track."""
    yield interchange(_load(job, settings, size), settings.batch_tokens or MAX_TOKENS)
    own = _own_batch(job)
    if own is not None:
        yield featurizer_training(_load(job, settings, size, own))


def _of_circuit(job: Job, settings: RunSettings, size: Footprint) -> Iterator[float]:
    """Bytes of the stages of a cell of the circuit track."""
    level, own = settings.level, _own_batch(job)
    yield evaluation(_load(job, settings, size, apart=settings.ablation is not Ablation.COUNTERFACTUAL), level)
    if "gradients" not in job.method.needs:
        return
    apart = job.params.get("ablation", Ablation.MEAN if own else None) not in {None, Ablation.COUNTERFACTUAL}
    load, learnt = (_load(job, settings, size, one, apart=apart) for one in (None, own))
    if own is None or apart:
        steps = job.params.get("steps", 1)
        many = steps if isinstance(steps, int) and own is None else 1
        yield gradient_drop(load, level) if "qk_fix" in job.params else attribution(load, many)
    if own is not None:
        yield plain_training(learnt) if apart else mask_training(learnt, level)


def _own_batch(job: Job) -> int | None:
    """Examples a step of a method that learns; None: it does not."""
    if "batch" not in job.params:
        return None
    stated = job.params["batch"]
    return stated if isinstance(stated, int) else _GUESSED_ROWS


def _load(job: Job, settings: RunSettings, size: Footprint, own: int | None = None, *, apart: bool = False) -> Load:
    """What a stage works on.

    Args:
        job: The job.
        settings: Its settings.
        size: Its model.
        own: Examples a step of the method itself, which no limit on tokens bounds.
        apart: Nothing is shared by a prompt and what it is ablated with, as constants are everywhere.
    """
    prompts = prompt_sizes(job.task, settings.split, job.track)
    most = settings.batch_tokens or MAX_TOKENS
    if prompts is None:
        rows = own or settings.batch_size
        return Load(size, settings.dtype, rows, float(most), float(most))
    rows = own or max(1, min(settings.batch_size, int(most // prompts.tokens)))
    seen = _seen(job, settings) if own is not None else 0
    own_tokens = prompts.tokens if apart else prompts.fresh
    return Load(size, settings.dtype, rows, rows * prompts.tokens, rows * own_tokens, kept=seen * own_tokens)


def _seen(job: Job, settings: RunSettings) -> int:
    """Training examples, whose runs a method that learns may keep."""
    return n_examples(job.task, "train", job.track, settings.train_examples) or settings.train_examples or 0


def _of_dictionary(job: Job, settings: RunSettings, size: Footprint) -> float:
    width, batch = (job.params.get(name) for name in ("width", "batch"))
    tokens = max(settings.context, settings.batch_tokens or TEXT_TOKENS)
    load = Load(size, settings.dtype, max(1, tokens // settings.context), tokens, tokens)
    trained = "batch" in job.params
    return dictionary(
        load,
        width if isinstance(width, int) else size.d_model,
        batch if trained and isinstance(batch, int) else 0,
    )
