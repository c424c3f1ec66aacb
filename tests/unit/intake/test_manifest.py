from __future__ import annotations

import json
from pathlib import Path

import mibench.intake.manifest as module
from mibench.intake.manifest import ArtifactEntry, CodeEntry, Submission, schema_text
from mibench.intake.names import NAME_PATTERN

ENTRY = {
    "track": "circuit",
    "tasks": ["ioi", "mcqa"],
    "models": ["gpt2"],
    "level": "edge",
    "sha256": "0" * 64,
    "bytes": 9,
}


def test_the_published_schema_is_that_of_the_manifest():
    published = Path(module.__file__).with_name("submission.schema.json")
    assert published.read_text(encoding="utf-8") == schema_text()


def test_the_schema_describes_every_key_and_refuses_others():
    schema = json.loads(schema_text())
    assert set(schema["properties"]) == set(Submission.model_fields)
    assert schema["additionalProperties"] is False
    assert schema["properties"]["team"]["pattern"] == NAME_PATTERN
    assert set(schema["$defs"]["ArtifactEntry"]["properties"]) == set(ArtifactEntry.model_fields)
    assert set(schema["$defs"]["CodeEntry"]["properties"]) == set(CodeEntry.model_fields)
    assert {"licence", "training_data"} <= set(schema["required"])


def test_an_entry_is_for_each_of_its_tasks_on_each_of_its_models():
    entry = ArtifactEntry(**ENTRY, file="a.safetensors", seed=3)
    assert [cell[1:3] for cell in entry.cells] == [("ioi", "gpt2"), ("mcqa", "gpt2")]
    other = ArtifactEntry(**ENTRY, file="a.safetensors", seed=4)
    assert not set(entry.cells) & set(other.cells)


def test_a_file_of_the_hub_is_named_by_its_path():
    hub = {"repo": "org/name", "revision": "a" * 40, "path": "deep/b.safetensors"}
    assert ArtifactEntry(**ENTRY, hub=hub).path == "deep/b.safetensors"
