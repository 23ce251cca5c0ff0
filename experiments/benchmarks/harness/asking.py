"""Holdfast, asked by the command line in a process of its own."""

import subprocess

from experiments.benchmarks.harness.child import module_command, module_environment


def holdfast(*arguments: object) -> str:
    """Standard output of `holdfast ARGUMENTS`. Raises RuntimeError with what it said where it failed."""
    command = module_command("holdfast", *(str(argument) for argument in arguments))
    done = subprocess.run(command, env=module_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
    return done.stdout
