"""The benchmarks: each paper's claim as a stream of photographs over a fine-tuned trunk, and its rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from experiments.benchmarks.harness.places import RESULTS
from experiments.benchmarks.methods.protocols import Protocol, Values
from experiments.benchmarks.methods.recipes import FINETUNE, INDEPENDENT, JOINT, Method, Term
from experiments.benchmarks.papers import sets
from experiments.benchmarks.papers.activations import Lower, Network
from experiments.lite import fetch
from holdfast.learning import Datasets
from holdfast.regularizers import TUNED

TAIL = "experiments.benchmarks.papers.tail:TailTrunk"
SIZE, DIMENSION, LAST = 128, 512, 2
"""Pixels a side, of the embedding, and the blocks that learn."""
STILL: Values = {
    **dict.fromkeys(("rotate", "scale", "shift", "shear", "brightness", "contrast", "saturation"), 0),
    "flip": False,
}
"""Nothing is distorted: what is kept of an image is kept once."""
LEARNING: Values = {
    "epochs": 8,
    "batch_size": 64,
    "precision": "float32",
    "optimizer": {"learning_rate": 1e-3, "trunk_learning_rate": 3e-4},
    "augment": STILL,
}
"""Of upgrades. With 4 epochs a new version, which begins with ImageNet's weights, does not yet reach the old
one's space, whatever the weight: cross-tests are below the old self-test, on training images, too."""
FORGETFUL: Values = {"epochs": 12, "optimizer": {"learning_rate": 1e-3, "trunk_learning_rate": 1e-3}}
"""Of streams: so that fine-tuning forgets (11 points, on training images). With a third of it next to
nothing is forgotten, and a method against forgetting has nothing to win."""
NETWORKS: tuple[Network, ...] = ("lite0", "lite2")
WRONG = 0.2
SPLITS = {
    "extended-class": ("extended-class", "label"),
    "extended-data": ("extended-data", None),
    "open-class": ("class-incremental", "label"),
    "open-data": ("data-incremental", None),
}
PAIRS = {"cosface": ("cosface", "lite0"), "softmax-lite2": ("softmax", "lite2")}
"""Loss and trunk of the new version; the old one has softmax and Lite0."""
PAIR_EPOCHS = 24
"""Of pairs; theirs are 120. With the 8 that their weights are chosen with the old space is not reached."""
UPGRADED = "caltech"
"""Where prototypes of training images can tell what is asked. A network of ImageNet alone finds 83 % of
Caltech's queries in their gallery, and 88 % among the training images; of Grocery's 80 % and 48 %, since its
test images were taken in other shops: a gallery of these says more of them than any prototype."""
CHOSEN_ON = {"upgrade": f"upgrade-{UPGRADED}-extended-class", "dual": f"dual-{UPGRADED}-cosface"}
"""One upgrade of each paper; the others take over what was chosen there."""
Purpose = Literal["forgetting", "upgrade"]

CORRELATION: Term = {"kind": "correlation-distillation", "weight": 16.0, "temperature": 0.25}
ESTIMATION: Term = {"kind": "feature-estimation", "weight": 16.0, "temperature": 0.25}
"""A tenth of the paper's weights (10 without the square of the temperature, of 0.25), whose own lie near the
upper end of what is tried: beside a classification loss less is better than beside their metric one."""
DECADES = 4.0
"""Orders of magnitude over which the weights of a row are chosen together, about the given ones."""
PROTOTYPES: Term = {"kind": "prototype-alignment", "weight": 1.0, "refine_after": 1, "refresh_epochs": 1}
N2O: Term = {"kind": "structural-regularization", "weight": 0.2, "old_to_new": False}
BOTH: Term = {"kind": "structural-regularization", "weight": 0.2}
CENTRES: Term = {"kind": "prototype-centres", "weight": 10.0}
"""A hundred times the paper's, whose loss file is missing: this term is a reading of ours."""

RECIPE = "recipe"

FORGETTING = (
    Method(FINETUNE, "Fine-tuning"),
    Method(JOINT, "Joint training"),
    Method(RECIPE, "Holdfast's default recipe", tuple(each.model_dump(mode="json") for each in TUNED)),
    Method("fecd", "FECD", (CORRELATION, ESTIMATION), decades=DECADES),
    Method(
        "fecd-normalized",
        "FECD, estimates of unit norm",
        (CORRELATION, {**ESTIMATION, "normalize": True}),
        decades=DECADES,
    ),
    Method(
        "fecd-control",
        "FECD with nothing estimated (u = 0)",
        (CORRELATION, {**ESTIMATION, "noise": "zero"}),
        decades=DECADES,
    ),
)
UPGRADE = (
    Method("prototypes", "Mean prototypes", (PROTOTYPES,), decades=DECADES),
    Method("unibct", "UniBCT, refined prototypes", ({**PROTOTYPES, "refine": True},), decades=DECADES),
)
DUAL = (
    Method(INDEPENDENT, "Independent (control)"),
    Method("n2o", "One direction (N2O)", (N2O,), decades=DECADES),
    Method("both", "Both directions (N2O + O2N)", (BOTH,), decades=DECADES),
    Method("dual-tuning", "Dual-Tuning: both directions, centres", (BOTH, CENTRES), decades=DECADES),
)


@dataclass(frozen=True)
class PaperProtocol(Protocol):
    """A benchmark over kept activations.

    Attributes:
        source: which photographs. `purpose`: what is asked of the versions, always about learned classes.
        wrong: share of the training labels that are wrong.
        rows: what is compared. `folder`: where activations and weights are kept.
        chosen_on: the benchmark on which the weights of its rows are chosen, if not on this one.
        chosen_with: so many epochs, if not with as many as its versions learn.
    """

    source: str = "grocery"
    purpose: Purpose = "upgrade"
    chooses: bool = False
    wrong: float = 0.0
    rows: tuple[Method, ...] = ()
    folder: Path = RESULTS / "papers"
    quick: bool = False
    chosen_on: str = ""
    chosen_with: int | None = None

    @property
    def place(self) -> str:
        return f"{self.source} closed {self.chooses} {self.wrong}"

    def load(self) -> Datasets:
        source = sets.photographs(self.quick)[self.source]
        data, _ = sets.load_kept(
            source, size_of(self.quick), lowers(self.source, self.folder, self.quick), self.folder / "kept"
        )
        data = sets.closed(data, source)
        if self.chooses:
            data = sets.choice(data)
        return sets.with_wrong_labels(data, self.wrong) if self.wrong else data

    @cached_property
    def choosing(self) -> "PaperProtocol":
        """Where the weights of its rows are chosen: its training images alone."""
        epochs = {} if self.chosen_with is None else {"epochs": self.chosen_with}
        values = {**self.values, "learning": {**self.values["learning"], **epochs}}
        return replace(self, name=f"choose-{self.name}", values=values, chooses=True)


def size_of(quick: bool) -> int:
    return 64 if quick else SIZE


def lowers(source: str, folder: Path, quick: bool) -> list[Lower]:
    """Both networks below their last blocks; the scales of the bytes are those of the source's images."""
    return [
        Lower(
            name,
            LAST,
            None if quick else folder / "lite" / f"{name}.safetensors",
            tail_of(name, source, folder),
        )
        for name in NETWORKS
    ]


def tail_of(name: str, source: str, folder: Path) -> Path:
    return folder / "kept" / f"{name}-{source}.safetensors"


def fetch_weights(folder: Path) -> None:
    """The networks' ImageNet weights, where they are not there yet."""
    for name in NETWORKS:
        file = folder / "lite" / f"{name}.safetensors"
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            fetch(name, file)


def all_protocols(folder: Path, quick: bool = False) -> dict[str, PaperProtocol]:
    """By name, in the order of the tables."""
    made: list[PaperProtocol] = []
    for source in ("grocery", "caltech"):
        shared: dict[str, Any] = {"source": source, "folder": folder, "quick": quick}
        made.append(_stream(shared))
        if source == UPGRADED:
            made += [*_upgrades(shared), *(_pair(shared, pair) for pair in PAIRS)]
    return {one.name: one for one in made}


def _stream(shared: dict[str, Any]) -> PaperProtocol:
    """What is forgotten of classes that were learned."""
    source, quick = shared["source"], shared["quick"]
    plain = values_of(**shared)
    by = "group" if source == "grocery" and not quick else "label"
    stream = {"scenario": "class-incremental", "tasks": 3 if quick else 6, "by": by, "validation": 0}
    learning = {**plain["learning"], **({} if quick else FORGETFUL)}
    title = f"{source.capitalize()} in six tasks"
    values = {**plain, "stream": stream, "learning": learning}
    where: dict[str, Any] = {"purpose": "forgetting", "rows": FORGETTING}
    return PaperProtocol(f"forgetting-{source}", title, values, **where, **shared)


def _upgrades(shared: dict[str, Any]) -> Iterator[PaperProtocol]:
    """One upgrade in four splits, with all labels right and with some wrong."""
    source = shared["source"]
    for split, (scenario, unit) in SPLITS.items():
        dealt = {
            "scenario": scenario,
            "shares": [0.3, 0.7],
            "validation": 0,
            **({"by": unit} if unit else {}),
        }
        values = {**independent(values_of(**shared)), "stream": dealt}
        for wrong, suffix, said in ((0.0, "", ""), (WRONG, "-wrong", ", 20 % wrong labels")):
            title = f"{source.capitalize()}, one upgrade, {split}{said}"
            where: dict[str, Any] = {"wrong": wrong, "rows": UPGRADE, "chosen_on": CHOSEN_ON["upgrade"]}
            yield PaperProtocol(f"upgrade-{source}-{split}{suffix}", title, values, **where, **shared)


def _pair(shared: dict[str, Any], pair: str) -> PaperProtocol:
    """One upgrade to another loss, or another trunk."""
    source, (head, network) = shared["source"], PAIRS[pair]
    dealt = {"scenario": "extended-class", "shares": [0.5, 0.5], "by": "label", "validation": 0}
    values = {**independent(values_of(**shared, head="softmax")), "stream": dealt}
    epochs = values["learning"]["epochs"]
    if not shared["quick"]:
        values["learning"] = {**values["learning"], "epochs": PAIR_EPOCHS}
    newer = {"model": values_of(**shared, head=head, network=network)["model"]}
    title = f"{source.capitalize()}, softmax and Lite0 to {head} and {network.capitalize()}"
    where: dict[str, Any] = {
        "newer": newer,
        "rows": DUAL,
        "chosen_on": CHOSEN_ON["dual"],
        "chosen_with": epochs,
    }
    return PaperProtocol(f"dual-{source}-{pair}", title, values, **where, **shared)


def independent(values: Values) -> Values:
    """Every version begins with ImageNet's weights, as in the papers, and not with its parent's."""
    return {**values, "learning": {**values["learning"], "initialization": "independent"}}


def values_of(
    source: str, folder: Path, quick: bool, head: str = "cosface", network: str = "lite0"
) -> Values:
    """An experiment without its stream."""
    side = size_of(quick) // 32
    trunk: dict[str, Any] = {"kind": TAIL, "name": network, "last": LAST, "side": side}
    trunk |= {"weights": str(tail_of(network, source, folder)), "start": start_of(network, side)}
    margin: Mapping[str, Any] = {"margin": 0.2} if head == "cosface" else {}
    learning = {**LEARNING, **({"epochs": 1, "batch_size": 16} if quick else {})}
    return {
        "data": sets.photographs(quick)[source].data.model_dump(mode="json"),
        "model": {
            "trunk": trunk,
            "dimension": 16 if quick else DIMENSION,
            "preprocessing": {"size": kept_side(side)},
            "head": {"kind": head, "scale": 16, **margin},
        },
        "learning": learning,
        "parent": "none",
        "regularizers": [],
        "adapter": None,
    }


CHANNELS = {"lite0": 192, "lite2": 208}
"""Of the maps that the last two blocks read."""


def start_of(network: str, side: int) -> int:
    before = NETWORKS[: NETWORKS.index(network)]
    return sum(CHANNELS[each] for each in before) * side**2


def kept_side(side: int) -> int:
    """Pixels a side of the images in which the activations of all networks lie."""
    return max(8, -int(-((sum(CHANNELS.values()) * side**2) ** 0.5) // 1))
