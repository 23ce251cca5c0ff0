"""The pins that a new machine installs from: every line is one, and they are what runs here."""

from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FILE = Path(__file__).parents[1] / "constraints.txt"
PINS = [
    Requirement(line) for line in FILE.read_text().splitlines() if line.strip() and not line.startswith("#")
]


def test_every_line_pins_one_version_and_no_package_twice() -> None:
    assert all([each.operator for each in pin.specifier] == ["=="] for pin in PINS)
    names = [canonicalize_name(pin.name) for pin in PINS]
    assert len(names) == len(set(names))


def test_everything_that_is_installed_here_is_pinned_at_its_version() -> None:
    pins = {canonicalize_name(pin.name): pin for pin in PINS}
    waiting, seen = [Requirement("holdfast[dev]")], set()
    while waiting:
        wanted = waiting.pop()
        key = (canonicalize_name(wanted.name), *sorted(wanted.extras))
        if key in seen:
            continue
        seen.add(key)
        installed = distribution(wanted.name)
        for line in installed.requires or []:
            needed = Requirement(line)
            extras = wanted.extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(needed)
        if key[0] != "holdfast":
            assert key[0] in pins, f"{key[0]}=={installed.version} is not pinned"
            assert pins[key[0]].specifier.contains(installed.version, prereleases=True)
