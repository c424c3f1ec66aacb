"""Adds what pyproject.toml cannot say: the folder ``data`` is installed as ``mibench/data``."""

from pathlib import Path

from setuptools import find_namespace_packages, setup

FOLDERS = [Path("data"), *(path for path in sorted(Path("data").iterdir()) if path.is_dir())]
DATA = {".".join(["mibench", *folder.parts]): folder.as_posix() for folder in FOLDERS}

setup(
    packages=[*find_namespace_packages(include=["mibench*"]), *DATA],
    package_dir=DATA,
    package_data={name: ["*.jsonl", "*.json", "*.md"] for name in DATA},
)
