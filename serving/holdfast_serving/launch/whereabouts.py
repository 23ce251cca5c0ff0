"""Where the servers of this machine are, for the one that takes over from another of them."""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from holdfast.base import ConfigError, Process
from holdfast.store import Store
from holdfast_serving.launch.keeper import DOOR

PREFIX = "holdfast-"
NOTE = "server.json"
SUCCESSOR = "successor"


@dataclass(frozen=True)
class Whereabouts:
    """A server that has told where it is, in its private folder.

    Args:
        addresses: IPv4 and IPv6, at which it listens.
        store: that it serves, in words.
        place: of the store, as `place_of` tells it from others.
    """

    process: Process
    folder: Path
    addresses: tuple[str, ...]
    port: int
    store: str
    place: str

    @property
    def hands_over(self) -> bool:
        """Whether it has sockets of its own, and not Serve for it."""
        return (self.folder / DOOR).exists()

    def tell(self) -> None:
        """Writes it down, for `find_server`; the folder is this user's alone."""
        note = {
            "process": asdict(self.process),
            "addresses": self.addresses,
            "port": self.port,
            "store": self.store,
            "place": self.place,
        }
        (self.folder / NOTE).write_text(json.dumps(note))

    def succeed(self) -> None:
        """Tells that server that this process listens in its place, so that it ends."""
        (self.folder / SUCCESSOR).write_text(str(Process.this()))


def find_server(addresses: Sequence[str], port: int) -> Whereabouts | None:
    """The server of this user that runs, listens there, and has no successor yet."""
    for note in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{NOTE}"):
        server = _read(note)
        if server is None or server.process.is_dead() or successor_of(server.folder) is not None:
            continue
        if server.port == port and set(server.addresses) == set(addresses):
            return server
    return None


def _read(note: Path) -> Whereabouts | None:
    try:
        found = json.loads(note.read_text())
        process, addresses = Process(**found["process"]), tuple(found["addresses"])
        return Whereabouts(process, note.parent, addresses, found["port"], found["store"], found["place"])
    except (OSError, ValueError, LookupError, TypeError):
        # Another user's, of another Holdfast's, or of a server that ends at this moment.
        return None


def successor_of(folder: Path) -> str | None:
    """Who has taken over from the server of this folder, in words; None while nobody has."""
    try:
        return (folder / SUCCESSOR).read_text()
    except FileNotFoundError:
        return None


def place_of(store: Store) -> str:
    """Tells a store from others, without the password that its location may have."""
    return hashlib.sha256(store.location.encode()).hexdigest()


def require_same_store(server: Whereabouts, store: Store) -> None:
    """Raises ConfigError where a server serves another store than the one that is to take over."""
    if server.place != place_of(store):
        raise ConfigError(
            f"What listens at port {server.port} ({server.process}) serves {server.store}; {store.where} is "
            "another store: name the same --store to take over from it, or another --port."
        )
