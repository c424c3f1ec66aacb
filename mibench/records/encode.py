"""Records to bytes and back; equal records give equal bytes."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from pydantic import BaseModel, ValidationError

from mibench.core.errors import StoreError
from mibench.records.migrate import migrate
from mibench.records.record import RunRecord

_FIELD_SETS: dict[frozenset[str], set[str]] = {}


def record_bytes(record: RunRecord) -> bytes:
    """Return the record as JSON: sorted keys, indented, one newline at the end."""
    return _dump(record.model_dump(mode="json"))


def stable_bytes(record: RunRecord) -> bytes:
    """Return the record's JSON without ``volatile``: the bytes that two runs of one cell share."""
    return _dump(record.model_dump(mode="json", exclude={"volatile"}))


def parse_record(text: str | bytes, *, source: str) -> RunRecord:
    """Return the record that ``text`` holds, migrated to the current schema.

    Args:
        text: JSON.
        source: Where it comes from, for the error.

    Raises:
        StoreError: It is not JSON, of an unknown version, or not a valid record.
    """
    with contextlib.suppress(ValidationError):
        # Nearly every record is of the current schema, and then it is parsed once.
        return _light(RunRecord.model_validate_json(text, strict=True))
    try:
        raw = json.loads(text)
        if not isinstance(raw, dict):
            raise _broken(source, "It is not a JSON object.")
        return RunRecord.model_validate_json(json.dumps(migrate(raw)), strict=True)
    except StoreError as error:
        raise StoreError(f"{source}: {error.what}", why=error.why, do=error.do) from error
    except ValidationError as error:
        raise _broken(source, _first_faults(error)) from error
    except (ValueError, RecursionError) as error:
        raise _broken(source, f"It is not JSON: {error}.") from error


def _light(record: RunRecord) -> RunRecord:
    """Let parts in which the same fields are set share the set of their names: it is half of what a record weighs."""
    parts: list[BaseModel] = [*record.metrics.values(), *(point for curve in record.curves.values() for point in curve)]
    for part in parts:
        own = part.model_fields_set
        object.__setattr__(part, "__pydantic_fields_set__", _FIELD_SETS.setdefault(frozenset(own), own))
    return record


def _dump(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def _broken(source: str, why: str) -> StoreError:
    return StoreError(f"{source} is not a valid record.", why=why, do="Remove the file and run its cell again.")


def _first_faults(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_input=False)
    shown = [f"{'.'.join(map(str, fault['loc'])) or 'record'}: {fault['msg']}" for fault in faults[:3]]
    more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
    return "; ".join(shown) + more
