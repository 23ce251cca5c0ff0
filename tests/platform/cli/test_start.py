"""How much the command line loads: nobody waits for what a verb does not need."""

import json
import os
import subprocess
import sys
from pathlib import Path

HEAVY = {"torch", "faiss", "ray", "matplotlib"}
VERBS = (
    "--help",
    "versions",
    "promote v1",
    "promote v2 --force",
    "rollback",
    "gallery stats",
    "gallery export entries.parquet",
    "backfill list",
)
PROGRAM = """
import json, sys
from holdfast.__main__ import main
loaded = {}
for verb in json.loads(sys.argv[1]):
    sys.argv[1:] = verb.split()
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, verb
    loaded[verb] = sorted(name for name in sys.modules if "." not in name)
json.dump(loaded, open("loaded.json", "w"))
"""


def test_a_verb_loads_only_what_it_needs(learned: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(VERBS)],
        capture_output=True,
        text=True,
        cwd=learned,
        env={**os.environ, "HOLDFAST_STORE": str(learned)},
    )
    assert done.returncode == 0, done.stderr
    loaded = json.loads((learned / "loaded.json").read_text())
    for verb in VERBS:
        assert not HEAVY.intersection(loaded[verb]), verb
    assert not {"numpy", "sqlalchemy", "pydantic"}.intersection(loaded["--help"])
