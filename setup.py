"""Adds what pyproject.toml cannot say: the folders ``data`` and ``runs`` are installed inside the package."""

from pathlib import Path

from setuptools import find_namespace_packages, setup

ROOTS = [Path("data"), Path("runs")]
FOLDERS = [*ROOTS, *(path for root in ROOTS for path in sorted(root.rglob("*")) if path.is_dir())]
SHIPPED = {".".join(["mibench", *folder.parts]): folder.as_posix() for folder in FOLDERS}

setup(
    packages=[*find_namespace_packages(include=["mibench*"]), *SHIPPED],
    package_dir=SHIPPED,
    package_data={
        **{name: ["*.jsonl", "*.json", "*.md", "*.yaml", "*.csv", "*.safetensors"] for name in SHIPPED},
        "mibench.intake": ["*.json"],
        "mibench.leaderboard": ["templates/*"],
        "mibench.plots": ["templates/*"],
    },
)
