"""What is asked of a gallery, and of which machines it may be made."""

from pydantic import Field

from holdfast.base import Settings

DAY = 86_400.0
GIB = 2**30


class Demand(Settings):
    """A gallery, its queries and its upgrades.

    Attributes:
        upgrade_every: seconds between two versions.
        upgrade_within: seconds after which an upgrade is to be done.
        recall: recall@10 against the exact answer.
        id_bytes: of an entry's id. attribute_bytes: of its attributes as JSON; attributes: how many.
        image_bytes: of one image file.
        candidates: whose images a cascade embeds for a query, where nobody did before.
        touched: share of the entries that queries recall between two upgrades; None as if every entry were
            recalled as often as any other, which is the most that it can be.
        segment: bytes of a segment of Milvus, which each have a graph of their own; None as by its default.
    """

    entries: int = Field(ge=1, le=10**12)
    dimension: int = Field(ge=2, le=65_536)
    queries_per_second: float = Field(gt=0, le=1e9)
    upgrade_every: float = Field(ge=3600)
    upgrade_within: float = Field(7 * DAY, ge=60)
    recall: float = Field(0.95, gt=0, lt=1)
    id_bytes: int = Field(16, ge=1, le=512)
    attribute_bytes: int = Field(40, ge=2)
    attributes: int = Field(2, ge=0, le=1000)
    image_bytes: int = Field(100_000, ge=1)
    candidates: int = Field(50, ge=1, le=1000)
    touched: float | None = Field(None, ge=0, le=1)
    segment: float | None = Field(None, ge=2**20)

    @property
    def deadline(self) -> float:
        """Seconds that an upgrade may take: no longer than until the next one."""
        return min(self.upgrade_within, self.upgrade_every)


class Machine(Settings):
    """One of the machines that may be rented. By default about what clouds sell for memory: 32 processors and
    256 GiB for two an hour.

    Attributes:
        cores: processors as the system counts them, like those that the constants were measured on.
        memory: bytes.
        price: an hour, in any currency.
        disk_price: a GiB and month.
        images_per_second: that a machine embeds; None follows the constants.
        embedding_price: an hour of a machine that embeds; None: the same machine.
    """

    cores: int = Field(32, ge=1)
    memory: float = Field(256 * GIB, gt=0)
    price: float = Field(2.0, ge=0)
    disk_price: float = Field(0.08, ge=0)
    images_per_second: float | None = Field(None, gt=0)
    embedding_price: float | None = Field(None, ge=0)

    @property
    def price_of_embedding(self) -> float:
        """An hour."""
        return self.price if self.embedding_price is None else self.embedding_price
