from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
from mibench.tasks.load import list_tasks, load_task
list_tasks()
load_task("ioi").digest("test")
heavy = {"torch", "transformers", "datasets"} & set(sys.modules)
sys.exit(str(heavy) if heavy else 0)
"""


def test_listing_tasks_and_reading_ioi_import_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
