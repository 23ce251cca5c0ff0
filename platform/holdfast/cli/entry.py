"""Where the command line begins and ends: whatever goes wrong is a sentence and an exit code."""

import os
import socket
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from io import TextIOWrapper
from typing import TextIO

import typer

from holdfast.base import StoreError
from holdfast.cli.failures import INTERRUPTED, MENDABLE, Failure, failure_of, say_when_threads_fail
from holdfast.cli.printing import write_json
from holdfast.cli.verbs import app
from holdfast.jobs import prepare_environment, require_submitters_release, runs_as_job


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point. Whatever goes wrong is said in a sentence on standard error, with `--json` also in a
    document on standard output; the exit code tells what a user can mend (2) from what is a defect (70)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        for stream in (sys.stdout, sys.stderr):
            # A name that this terminal cannot show must not end what it names.
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        say_when_threads_fail(given)
        prepare_environment(submits=given[:1] in (["submit"], ["jobs"]))
        require_submitters_release()
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            code = app(given, standalone_mode=False) or 0
        sys.stdout.flush()
    except BrokenPipeError:
        code = _nobody_listens()
    except (KeyboardInterrupt, EOFError):
        code = INTERRUPTED
    except typer.TyperException as error:
        message = error.format_message().strip()
        # Without a verb the help has been printed, and there is nothing more to say.
        said = f"{message.rstrip('.')}. --help says what is allowed." if message else ""
        code = _fail(Failure(type(error).__name__, "invalid_command", said, MENDABLE), given)
    except StoreError as error:
        code = _fail(_seen_from_here(failure_of(error, given)), given)
    except Exception as error:
        code = _fail(failure_of(error, given), given)
    if code == INTERRUPTED:
        sys.stderr.write("interrupted; the same command goes on where it stopped\n")
    sys.exit(code)


def _seen_from_here(failure: Failure) -> Failure:
    """Who reads what a job says stands at another machine, from which its store may look otherwise."""
    if not runs_as_job():
        return failure
    where = (
        f"So it is on {socket.gethostname()}, where the job ran: a job's store has to be reached from the "
        "cluster's machines."
    )
    return replace(failure, message=f"{failure.message} {where}")


def _fail(failure: Failure, given: Sequence[str]) -> int:
    if failure.message:
        try:
            if "--json" in given:
                write_json(failure.as_dict())
                sys.stdout.flush()
        except OSError:
            _nobody_listens()
        sys.stderr.write(f"error: {failure.message}\n")
    return failure.exit_code


def _nobody_listens() -> int:
    """Standard output is closed, as in `holdfast versions | head -1`: what is left to say is dropped."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """A warning is for the user as well: the sentence, not the line of code that says it."""
    sys.stderr.write(f"warning: {message}\n")
