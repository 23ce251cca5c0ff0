"""All checks, one after the other; whatever happens in one, the others are made."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar

from holdfast.base import HoldfastError, hide_secrets
from holdfast.doctor.checks import Check, Said, Verdict, fail, ok, warn
from holdfast.doctor.database import DATABASE
from holdfast.doctor.gallery import GALLERY
from holdfast.doctor.machine import MACHINE
from holdfast.doctor.patient import Patient
from holdfast.doctor.server import AROUND, keys
from holdfast.store import OlderSchemaError, Store, look_into

CHECK_SECONDS = 20.0
"""What did not answer by then does not answer."""

Seen = TypeVar("Seen")


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    name: str
    verdict: Verdict
    sentence: str


@dataclass(frozen=True)
class Examination:
    """What all checks found, and the names of those that could not be made before something is mended."""

    findings: tuple[Finding, ...]
    left_out: tuple[str, ...]

    @property
    def worst(self) -> Verdict:
        verdicts = {finding.verdict for finding in self.findings}
        return "fail" if "fail" in verdicts else "warn" if "warn" in verdicts else "ok"

    def as_dict(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "verdict": self.worst,
            "checks": [asdict(finding) for finding in self.findings],
            "left_out": list(self.left_out),
        }


def examine(patient: Patient, seconds: float = CHECK_SECONDS) -> Examination:
    """Make every check, each within `seconds`. Nothing is changed, and nothing secret is said."""
    findings = list(_made(MACHINE, patient, seconds))
    of_store = (*DATABASE, *GALLERY, Check("keys", partial(_keys, patient)))
    with ExitStack() as stack:
        reached: list[Store] = []
        findings += _made([Check("database", partial(_reach, reached, stack))], patient, seconds)
        if reached:
            findings += _made(of_store, reached[0], seconds)
        findings += _made(AROUND, patient, seconds)
    return Examination(tuple(findings), () if reached else tuple(check.name for check in of_store))


def _made(checks: Sequence[Check[Seen]], seen: Seen, seconds: float) -> Iterator[Finding]:
    for check in checks:
        said = _within(seconds, check, seen)
        yield Finding(check.name, said.verdict, hide_secrets(said.sentence))


def _within(seconds: float, check: Check[Seen], seen: Seen) -> Said:
    said: list[Said] = []
    # In a thread of its own: what hangs there ends with this process.
    thread = threading.Thread(target=lambda: said.append(_looked(check, seen)), name="doctor", daemon=True)
    thread.start()
    thread.join(seconds)
    return said[0] if said else fail(f"No answer after {seconds:g} s: what it asks is away, or hangs.")


def _looked(check: Check[Seen], seen: Seen) -> Said:
    try:
        return check.look(seen)
    except HoldfastError as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"{error.filename or 'It'}: {error.strerror or error}.")
    except Exception as error:
        # A doctor that falls ill on one patient is of no use at night.
        return warn(f"This could not be looked at ({type(error).__name__}: {' '.join(str(error).split())}).")


def _reach(reached: list[Store], stack: ExitStack, patient: Patient) -> Said:
    """Whether the database can be opened as it is; nothing else can be asked before."""
    try:
        store = look_into(patient.where, patient.artifacts)
    except OlderSchemaError as error:
        return warn(str(error))
    reached.append(stack.enter_context(store))
    return ok(f"{store.where} is open, with the schema of this Holdfast.")


def _keys(patient: Patient, store: Store) -> Said:
    return keys(store, patient.environment)
