"""A Dockerfile, read as far as a test needs it."""

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Stage:
    """From one FROM to the next.

    Attributes:
        base: image or stage, with its variables.
        instructions: pairs (`RUN`, the rest of it), without the options of RUN.
    """

    base: str
    name: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        return [text for name, text in self.instructions if name == instruction]

    @property
    def copied(self) -> list[tuple[str, str]]:
        """Pairs (source, target) of COPY from the build's context."""
        pairs = []
        for text in self.all("COPY"):
            *sources, target = shlex.split(text)
            pairs += [(source, target) for source in sources]
        return pairs

    def words(self, instruction: str) -> list[str]:
        """Of the last ENTRYPOINT or CMD, in its form without a shell."""
        return list(json.loads(self.all(instruction)[-1]))


def read_dockerfile(file: Path) -> tuple[dict[str, str], list[Stage]]:
    """The defaults of the arguments that come before all stages, and the stages."""
    lines = [line for line in file.read_text().splitlines() if not line.lstrip().startswith("#")]
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for instruction in filter(None, "\n".join(lines).replace("\\\n", " ").splitlines()):
        name, _, text = instruction.partition(" ")
        if name == "FROM":
            base, _, alias = text.partition(" AS ")
            stages.append(Stage(base, alias))
        elif not stages:
            assert name == "ARG"
            arguments |= [text.split("=", 1)]
        else:
            stages[-1].instructions.append((name, re.sub(r"--mount=\S+", "", text).strip()))
    return arguments, stages
