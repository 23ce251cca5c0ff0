"""Machines of a cluster that have another release than the driver are named, with what to do."""

import socket

import pytest

from holdfast.base import ConfigError
from holdfast.jobs.release import require_release, this_release


def test_another_release_is_refused_with_the_machines_name() -> None:
    require_release(this_release())
    with pytest.raises(ConfigError, match=rf"machine {socket.gethostname()} has Holdfast .*0\.0\.9: install"):
        require_release("0.0.9")
