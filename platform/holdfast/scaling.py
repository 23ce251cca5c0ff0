"""The section `scaling` of an experiment file: how many workers learn, and what each of them takes."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from holdfast.base import Settings, cpu_count, thread_count

Placement = Literal["PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD"]
ACCELERATOR = "accelerator_type:"
"""Before the name of a kind of GPU: what Ray calls it among the resources of a machine."""
A_SHARE = 0.001


class Span(Settings):
    """Elastic: as many workers as there is room for."""

    min: int = Field(ge=1)
    max: int = Field(ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> "Span":
        if self.min > self.max:
            raise ValueError(f"min is {self.min} and max {self.max}")
        return self


def _number_or_span(given: Any) -> int | Span:
    """One line for a mistake, in place of one for each of the two forms."""
    if isinstance(given, Span) or (type(given) is int and given >= 0):
        return given
    said = "say a whole number from 0 on, or {min: 1, max: 4}"
    if isinstance(given, dict):
        try:
            return Span.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            place = "".join(f"{part}: " for part in first["loc"])
            said = place + first["msg"].removeprefix("Value error, ")
    raise PydanticCustomError("workers", "{said}", {"said": said})


class ScalingConfig(Settings):
    """On what the sequence runs. None of it changes what is learned, but for rounding."""

    workers: Annotated[int | Span, BeforeValidator(_number_or_span)] = 1
    """0 learns in the driver's own process, without Ray; N is that many Ray Train workers; `{min: 1, max: 4}`
    is elastic: with as many as there is room for, more once machines come, fewer once some are lost."""
    cpus_per_worker: int | None = Field(default=None, ge=1)
    """Default: the machine's CPUs divided among the workers."""
    gpu: bool = False
    """A GPU for each worker, or what `resources_per_worker` says: `{GPU: 0.5}`."""
    resources_per_worker: dict[str, float] = Field(default={}, exclude_if=lambda value: not value)
    """In Ray's words: `CPU`, `GPU`, `memory` (bytes), and resources that your machines were given names for.
    Fractions of GPUs are shared by several workers, which have to keep to their part of its memory."""
    accelerator_type: str | None = Field(default=None, exclude_if=lambda value: value is None)
    """A kind of GPU as Ray names it: `A100`, `H100`, `L4`."""
    placement: Placement = Field(default="PACK", exclude_if=lambda value: value == "PACK")
    """PACK: on as few machines as possible; SPREAD: on as many; STRICT_PACK: all on one; STRICT_SPREAD: each
    on another."""
    resize_seconds: float = Field(default=10.0, ge=1, exclude_if=lambda value: value == 10.0)
    """Elastic: room for more workers that has been there for so long is used, if the workers that there are
    have run for three times as long. Each change costs the seconds in which workers start."""
    max_failures: int = Field(default=2, ge=-1)
    """How many times Ray restarts lost workers from the last checkpoint; -1 for ever. Machines that announce
    their end do not count."""

    @model_validator(mode="after")
    def _is_of_one_mind(self) -> "ScalingConfig":
        each = self.resources_per_worker
        wrong = [name for name, amount in each.items() if not (name and amount >= 0)]
        if wrong:
            raise ValueError(f"resources_per_worker.{wrong[0]} is {each[wrong[0]]:g}, and cannot be below 0")
        named = [name for name in each if name.startswith(ACCELERATOR)]
        if named:
            kind = named[0].removeprefix(ACCELERATOR)
            raise ValueError(f"resources_per_worker.{named[0]}: say accelerator_type: {kind}")
        if "CPU" in each and self.cpus_per_worker is not None:
            raise ValueError("cpus_per_worker and resources_per_worker.CPU are one thing: give one of them")
        if self.gpu and each.get("GPU") == 0:
            raise ValueError("gpu is true and resources_per_worker.GPU 0: give one of them")
        gpus = self.gpus
        if gpus > 1 and gpus != int(gpus):
            raise ValueError(f"resources_per_worker.GPU is {gpus:g}: Ray shares one GPU, or gives whole ones")
        return self

    @property
    def least(self) -> int:
        """Workers, without which the run waits."""
        return self.workers.min if isinstance(self.workers, Span) else self.workers

    @property
    def most(self) -> int:
        """Workers at most."""
        return self.workers.max if isinstance(self.workers, Span) else self.workers

    @property
    def elastic(self) -> bool:
        """Whether the number of workers may change."""
        return isinstance(self.workers, Span)

    @property
    def gpus(self) -> float:
        """Of a worker."""
        return self.resources_per_worker.get("GPU", 1.0 if self.gpu else 0.0)

    @property
    def cpus(self) -> int:
        """Threads of a worker: what the experiment says, else an even share of this machine, of which it is
        all in process (`workers: 0`).

        The share is no more than OMP_NUM_THREADS: they are the threads of a worker, too.
        """
        share = max(1, cpu_count() // max(1, self.most))
        said = self.cpus_per_worker or int(self.resources_per_worker.get("CPU", 0))
        return said or (1 if "CPU" in self.resources_per_worker else min(share, thread_count()))

    @property
    def each(self) -> dict[str, float]:
        """What one worker takes, in Ray's words."""
        said = {"CPU": float(self.cpus), "GPU": self.gpus, **self.resources_per_worker}
        if self.accelerator_type is not None:
            said[ACCELERATOR + self.accelerator_type] = A_SHARE
        return {name: amount for name, amount in said.items() if amount > 0}
