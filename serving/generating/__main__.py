"""Write the clients' generated halves from the OpenAPI document, so that neither can be out of date (a test
compares): what the server answers, what it is asked, and a method for every route.

python -m serving.generating
"""

import subprocess
import sys
from pathlib import Path

from holdfast_serving.http import openapi_document
from serving.generating.document import Api
from serving.generating.python import python_answers, python_operations, python_requests
from serving.generating.typescript import typescript

FOLDER = Path(__file__).parents[1]
PYTHON = "holdfast_serving/client"


def main() -> None:
    for name, text in files().items():
        (FOLDER / name).write_text(text)


def files() -> dict[str, str]:
    """The generated files, by their path below `serving/`."""
    api = Api(openapi_document())
    python = {
        "answers.py": python_answers(api),
        "requests.py": python_requests(api),
        "operations.py": python_operations(api, asynchronous=False),
        "async_operations.py": python_operations(api, asynchronous=True),
    }
    made = {f"{PYTHON}/{name}": formatted(text) for name, text in python.items()}
    return made | {"typescript/operations.ts": typescript(api)}


def formatted(python: str) -> str:
    """As `ruff` of this repository has it."""
    name = ["--stdin-filename", str(FOLDER / PYTHON / "made.py"), "-"]
    for command in (["check", "--quiet", "--fix", "--select", "I,F401"], ["format"]):
        arguments = [sys.executable, "-m", "ruff", *command, *name]
        python = subprocess.run(arguments, input=python, capture_output=True, text=True, check=True).stdout
    return python


if __name__ == "__main__":
    main()
