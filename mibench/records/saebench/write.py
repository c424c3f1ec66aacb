"""A record of a dictionary as SAEBench's result file."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mibench.core.errors import DataError
from mibench.core.hook_points import HookPoint
from mibench.core.specs import Convention, Track
from mibench.records.record import DictionaryFacts, MetricValue, RunRecord
from mibench.records.saebench.mapping import EVALS, PAIRS_LEFT_OUT, Same, same, why_none
from mibench.records.saebench.schema import LATEST_MILLIS, SCHEMA, TOP_KEYS, file_name

RELEASE = "mibench"
MADE_BY = "mibench"
UNKNOWN = "Unknown"
"""What SAEBench writes for a version that it cannot tell."""
_NAMESPACE = uuid.UUID("6f1c4d1e-6f0b-5d6e-9f0a-2a6d5b1c7e11")


@dataclass(frozen=True)
class ResultFile:
    """A file to write.

    Attributes:
        eval_type: SAEBench's evaluation.
        name: Name of the file.
        content: What it holds.
    """

    eval_type: str
    name: str
    content: dict[str, Any]

    @property
    def path(self) -> str:
        """Where it lies: one folder an evaluation and release, as in SAEBench's repositories of results."""
        release = str(self.content["sae_lens_release_id"]).replace("/", "_")
        return f"{self.eval_type}/{release}/{self.name}"

    def text(self) -> str:
        """As JSON; the same record gives the same bytes."""
        return f"{json.dumps(self.content, indent=2, ensure_ascii=False, allow_nan=False)}\n"


def not_exported(record: RunRecord) -> str | None:
    """Return why a record is no result of SAEBench's; None: it is one."""
    if record.cell.track is not Track.SAE:
        return "it is not about a dictionary"
    if record.cell.task.name not in EVALS:
        return f"SAEBench has no evaluation like {record.cell.task.name}"
    if record.status != "ok" or record.dictionary is None:
        return f"{record.status}: {record.problem.what if record.problem else 'it does not say what was scored'}"
    if record.dictionary.transcoder is not None or (record.cell.dictionary and record.cell.dictionary.output):
        return f"{record.cell.method.name} is a transcoder, and SAEBench compares with what a dictionary reads"
    return "it does not say when it was made" if record.volatile.provenance is None else None


def result_file(record: RunRecord, *, release: str = RELEASE, n_seeds: int = 1) -> ResultFile:
    """Return a record as SAEBench's result file.

    Numbers are there where ours have the same definition (`mibench.records.saebench.mapping`), else null; all of ours,
    with intervals, floors and ceilings, are under ``eval_result_unstructured``, with the reason for each null.

    Args:
        record: A good record of the SAE track.
        release: What the dictionary is filed under.
        n_seeds: With how many seeds its method was run.

    Raises:
        DataError: The record is no such result, or its file would not be one of SAEBench's.
    """
    reason, facts, made = not_exported(record), record.dictionary, record.volatile.provenance
    if reason is not None or facts is None or made is None:
        why = f"{reason or 'it is incomplete'}."
        raise DataError(f"{record.cell.id} is no result of SAEBench's.", why=why, do="Leave it out.")
    eval_type = EVALS[record.cell.task.name]
    metrics, nulls = _metrics(record, eval_type)
    values: tuple[Any, ...] = (
        eval_type,
        _config(record),
        str(uuid.uuid5(_NAMESPACE, record.cell.id)),
        round(made.created_at.timestamp() * 1000),
        metrics,
        [],
        UNKNOWN,
        sae_id(record, facts),
        release,
        UNKNOWN,
        _sae_config(record, facts),
        _extras(record, nulls, n_seeds),
    )
    content = dict(zip(TOP_KEYS, values, strict=True))
    check_result(content)
    return ResultFile(eval_type, file_name(release, content["sae_lens_id"]), content)


def sae_id(record: RunRecord, facts: DictionaryFacts) -> str:
    """Return a readable name that no other dictionary has."""
    method = record.cell.method
    parts = [method.name, *(f"{name}-{value}" for name, value in sorted(method.params.items()) if value is not None)]
    parts += [] if method.seed is None else [f"seed-{method.seed}"]
    readable = "_".join(re.sub(r"[^A-Za-z0-9.-]+", "-", part).strip("-") for part in parts)
    return f"{readable[:120]}_{facts.sha256[:12]}"


def check_result(content: dict[str, Any]) -> None:
    """Check a result against SAEBench's schema.

    Raises:
        DataError: A key or metric is missing or unknown, a metric is not a number or null, or a time is none.
    """
    eval_type = content.get("eval_type_id")
    if tuple(content) != TOP_KEYS or not isinstance(eval_type, str) or eval_type not in SCHEMA:
        raise _off(f"its keys are {', '.join(map(str, content))}, its evaluation {eval_type}")
    found = content["eval_result_metrics"]
    if {key: tuple(names) for key, names in found.items()} != dict(SCHEMA[eval_type]):
        raise _off(f"its metrics are not those of {eval_type}")
    for category in found.values():
        for name, value in category.items():
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise _off(f"{name} is a {type(value).__name__}")
    if not 0 <= content["datetime_epoch_millis"] <= LATEST_MILLIS:
        raise _off("its time is out of range")


def _metrics(record: RunRecord, eval_type: str) -> tuple[dict[str, dict[str, float | None]], dict[str, str]]:
    """Values by category, and the reason for each that is null."""
    values: dict[str, dict[str, float | None]] = {}
    nulls: dict[str, str] = {}
    for category, names in SCHEMA[eval_type].items():
        for name in names:
            ours = same(eval_type, name, record.cell.convention)
            found = None if ours is None else record.metrics.get(ours.name)
            fewer = found is not None and PAIRS_LEFT_OUT in (found.ci_reason or "")
            values.setdefault(category, {})[name] = None if fewer else _value(found, ours)
            if found is None:
                nulls[name] = why_none(eval_type, name, record.cell.convention)
            elif fewer or found.value is None:
                nulls[name] = PAIRS_LEFT_OUT if fewer else found.reason or ""
    return values, nulls


def _value(found: MetricValue | None, ours: Same | None) -> float | None:
    if found is None or found.value is None or ours is None:
        return None
    return 1 - found.value if ours.complement else found.value


def _config(record: RunRecord) -> dict[str, Any]:
    cell = record.cell
    where = cell.dictionary
    return {
        "model_name": cell.model.name,
        "llm_dtype": cell.model.dtype,
        "random_seed": 0,
        "dataset": cell.task.name if where is None else where.corpus,
        "context_size": None if where is None else where.context,
        "prepend_bos": cell.bos == "prepend",
        "mibench_task": cell.task.model_dump(mode="json"),
        "mibench_convention": cell.convention.value,
    }


def _sae_config(record: RunRecord, facts: DictionaryFacts) -> dict[str, Any]:
    cell, where = record.cell, record.cell.dictionary
    hook = HookPoint.parse(where.hook) if where is not None else HookPoint(0)
    return {
        "architecture": facts.architecture,
        "model_name": cell.model.name,
        "d_in": facts.d_in,
        "d_sae": facts.d_sae,
        "hook_name": hook.transformer_lens or hook.name,
        "hook_layer": hook.layer,
        "hook_head_index": None,
        "context_size": None if where is None else where.context,
        "dtype": "float32",
        "prepend_bos": cell.bos == "prepend",
        "training_tokens": facts.train_tokens,
        "dataset_path": facts.train_corpus,
    }


def _extras(record: RunRecord, nulls: dict[str, str], n_seeds: int) -> dict[str, Any]:
    cell, made = record.cell, record.volatile.provenance
    facts = record.dictionary
    return {
        "made_by": MADE_BY,
        "version": None if made is None else made.mibench,
        "git_commit": None if made is None else made.git_commit,
        "cell_id": cell.id,
        "status": record.status,
        "convention": "saebench-0.6" if cell.convention is Convention.SAEBENCH else cell.convention.value,
        "seed": cell.method.seed,
        "n_seeds": n_seeds,
        "dictionary": None if facts is None else facts.model_dump(mode="json"),
        "model_digest": cell.model.digest,
        "data_digest": cell.task.digest,
        "null_reasons": nulls,
        "metrics": {name: value.model_dump(mode="json") for name, value in record.metrics.items()},
    }


def seeds_of(record: RunRecord, records: Sequence[RunRecord]) -> int:
    """Return with how many seeds the cell of a record is among ``records``."""
    own = _without_seed(record)
    return len({other.cell.id for other in records if _without_seed(other) == own})


def _without_seed(record: RunRecord) -> dict[str, Any]:
    cell = record.cell.model_dump(mode="json")
    method = cell["method"]
    return cell | {"method": method | {"seed": method["seed"] is not None}}


def _off(why: str) -> DataError:
    return DataError(
        "This is no result file of SAEBench's.", why=f"{why[:1].upper()}{why[1:]}.", do="Check its source."
    )
