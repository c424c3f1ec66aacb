"""What schedulers can be told: the keys of ``scheduler`` in RUN.yaml, which are the words of ``--scheduler``."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from mibench.core.errors import UsageError
from mibench.core.names import did_you_mean
from mibench.runner.executors.executor import Means

Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Minutes = Annotated[int, Field(ge=1)]
Options = TypeVar("Options", bound="_Options")
_GENERIC = {"time_minutes": "timeout_min", "mem_gb": "mem_gb", "gpus": "gpus_per_node", "cpus": "cpus_per_task"}


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True, use_attribute_docstrings=True)


class SlurmOptions(_Options):
    """What Slurm can be told; those without a word here are what ``sbatch`` calls so."""

    cluster: Literal["slurm", "local", "debug"] = "slurm"
    """slurm; local: processes of this machine instead, which need no Slurm; debug: this process."""
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    time_minutes: Minutes = 720
    """Minutes that one worker may take; what it was at is done again by another."""
    mem_gb: Number | None = None
    """Memory of a worker."""
    gpus: Count | None = None
    """GPUs of a worker."""
    cpus: Minutes | None = None
    """Processors of a worker."""
    setup: list[str] = []
    """Lines of shell before a worker starts, such as ``module load cuda``."""
    job_name: str = "mibench"
    constraint: str | None = None
    exclude: str | None = None
    nodelist: str | None = None
    gres: str | None = None
    comment: str | None = None
    dependency: str | None = None
    exclusive: bool | str | None = None
    gpus_per_task: Count | None = None
    cpus_per_gpu: Count | None = None
    mem_per_gpu: str | None = None
    mem_per_cpu: str | None = None
    mail_type: str | None = None
    mail_user: str | None = None
    wckey: str | None = None
    srun_args: list[str] | None = None
    use_srun: bool | None = None
    """Whether a worker is started with ``srun``; submitit does so."""
    additional_parameters: dict[str, Any] = {}
    """Other flags of sbatch by name, such as ``reservation``."""

    @field_validator("setup", "srun_args", mode="before")
    @classmethod
    def _lines(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    def parameters(self, workers: int) -> dict[str, Any]:
        """What ``AutoExecutor.update_parameters`` of submitit takes."""
        given = self.model_dump(exclude_none=True, exclude={"cluster", "additional_parameters"})
        found = {_GENERIC.get(name, f"slurm_{name}"): value for name, value in given.items()}
        # What is lost is submitted again by the driver, which knows what is done by then.
        flags = {"no-requeue": True} | self.additional_parameters
        more = {"slurm_array_parallelism": workers, "slurm_additional_parameters": flags, "local_setup": self.setup}
        return found | more


class RayOptions(_Options):
    """What Ray can be told; those without a word here are what ``ray.remote`` calls so."""

    address: str | None = None
    """Cluster, such as ``auto`` or ``ray://head:10001``; none: that of RAY_ADDRESS, or else one on this machine."""
    num_cpus: Number = 1
    """Processors of a worker."""
    num_gpus: Number = 0
    """GPUs of a worker."""
    memory: Number | None = None
    """Bytes of memory that a worker is counted with."""
    resources: dict[str, Number] | None = None
    accelerator_type: str | None = None
    scheduling_strategy: Literal["DEFAULT", "SPREAD"] | None = None
    object_store_memory: Count = 100_000_000
    """Bytes that a Ray on this machine keeps for objects; mibench hands over next to nothing."""

    def of_task(self) -> dict[str, Any]:
        """What ``ray.remote`` takes."""
        return self.model_dump(exclude_none=True, exclude={"address", "object_store_memory"})


def checked(means: Means, kind: str, options: type[Options]) -> Options:
    """Return the options of a scheduler.

    Args:
        means: Where they are; no devices, since schedulers hand these out.
        kind: Name of the executor.
        options: Those that it has.

    Raises:
        UsageError: One is unknown, or does not fit.
    """
    if means.devices:
        why = f"Each worker of {kind} has the GPUs that it was given, numbered from 0."
        raise UsageError("Devices cannot be chosen here.", why=why, do="Leave them out, and ask for a number of GPUs.")
    for name in means.options:
        if name not in options.model_fields:
            why = f"The executor {kind} has no such option."
            raise UsageError(f"Unknown option '{name}'.", why=why, do=did_you_mean(name, options.model_fields))
    try:
        return options.model_validate(dict(means.options))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        why = f"{first['msg']}."
        raise UsageError(
            f"The option '{first['loc'][0]}' does not fit.", why=why, do="See docs/clusters.md."
        ) from error
