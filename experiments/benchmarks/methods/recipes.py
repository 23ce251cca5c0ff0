"""The methods that are compared: what each adds to fine-tuning, and over what its weights are chosen.

Weights are the papers' where a paper gives one (methods.md); correlation distillation counts 160, which with
its factor of temperature squared is the weight 10 of a plain KL divergence at temperature 0.25.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from experiments.benchmarks.methods.protocols import EXPERIMENTS, Protocol
from holdfast.base import ConfigError
from holdfast.config import Experiment, load_experiment

Term = dict[str, Any]

FINETUNE, INDEPENDENT, JOINT, HOLDFAST = "finetune", "independent", "joint", "holdfast"
FEATURE: Term = {"kind": "feature-distillation", "weight": 10.0}
CORRELATION: Term = {"kind": "correlation-distillation", "weight": 160.0, "temperature": 0.25}
PROTOTYPES: Term = {"kind": "prototype-alignment", "weight": 1.0}
ESTIMATION: Term = {"kind": "feature-estimation", "weight": 160.0, "temperature": 0.25}


@dataclass(frozen=True)
class Method:
    """A named combination.

    Attributes:
        terms: the regularizers, with default weights.
        changes: further dotted keys of the experiment.
        decades: orders of magnitude over which all weights are tried together, about the defaults; 0: as
            `spread` has it.
        chosen_as: the method whose chosen weights it has, as a control of that one.
        adapters: whether post-hoc adapters are measured on top.
        benchmarks: where it is of interest; everywhere if empty.
    """

    name: str
    title: str
    terms: tuple[Term, ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)
    decades: float = 0.0
    chosen_as: str = ""
    adapters: bool = False
    benchmarks: tuple[str, ...] = ()

    def applies_to(self, protocol: Protocol) -> bool:
        here = not self.benchmarks or protocol.name in self.benchmarks
        return here and (not protocol.methods or self.name in protocol.methods)

    def trials(self, count: int) -> list[tuple[Term, ...]]:
        """So many settings of the terms, spread over orders of magnitude around the defaults."""
        if not self.terms or self.chosen_as:
            return []
        return [
            tuple(
                {**term, "weight": round(float(term["weight"] * factor), 6)}
                for term, factor in zip(self.terms, factors, strict=True)
            )
            for factors in self._factors(count)
        ]

    def _factors(self, count: int) -> list[tuple[float, ...]]:
        if not self.decades:
            return spread(len(self.terms), count)
        exponents = np.linspace(-self.decades / 2, self.decades / 2, count)
        return [(float(10**exponent),) * len(self.terms) for exponent in exponents]


def spread(terms: int, count: int) -> list[tuple[float, ...]]:
    """Factors on the default weights of a method with so many terms.

    One term: from a tenth to ten times. Several: the overall factor, and the first term against the others,
    in turns, from the defaults outwards.
    """
    if terms == 1:
        exponents = np.linspace(-1, 1, count) if count > 1 else np.zeros(1)
        return [(float(10**exponent),) for exponent in exponents]
    rest = terms - 1
    found = [(1.0,) * terms]
    reach = 3.0
    while len(found) < count:
        found += [
            (reach,) * terms,
            (reach, *(1.0,) * rest),
            (1.0, *(reach,) * rest),
            (1 / reach,) * terms,
        ]
        reach *= 3.0
    return found[:count]


METHODS: tuple[Method, ...] = (
    Method(FINETUNE, "Fine-tuning (control)", adapters=True),
    Method(
        INDEPENDENT,
        "Independent initialization (control)",
        changes={"learning.initialization": "independent"},
    ),
    Method(JOINT, "Joint training (all classes at once)"),
    Method(HOLDFAST, "Holdfast's default recipe"),
    Method("feature", "Feature distillation", (FEATURE,)),
    Method("correlation", "Correlation distillation", (CORRELATION,)),
    Method(
        "correlation+prototypes",
        "Correlation distillation + prototypes",
        (CORRELATION, PROTOTYPES),
        adapters=True,
    ),
    Method("fecd", "FECD (Chen et al. 2022)", (CORRELATION, ESTIMATION)),
    Method(
        "fecd-control",
        "FECD with nothing estimated (u = 0)",
        (CORRELATION, {**ESTIMATION, "noise": "zero"}),
        chosen_as="fecd",
        benchmarks=("omniglot-10",),
    ),
    Method("prototypes", "Prototype alignment, mean prototypes", (PROTOTYPES,)),
    Method("unibct", "UniBCT (Zhang et al. 2022)", ({**PROTOTYPES, "refine": True},)),
    Method(
        "dual-tuning",
        "Dual-Tuning (Bai et al. 2023)",
        (
            {"kind": "structural-regularization", "weight": 0.2},
            {"kind": "prototype-centres", "weight": 0.1},
        ),
    ),
)


def find_methods(names: Sequence[str] | None) -> list[Method]:
    """In the order of the tables. Raises ConfigError for a name that does not exist."""
    known = {method.name: method for method in METHODS}
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise ConfigError(f"No method is called {', '.join(unknown)}; there are {', '.join(known)}.")
    return [method for method in METHODS if not names or method.name in names]


def build(
    method: Method, protocol: Protocol, seed: int, chosen: Sequence[Term] | None = None
) -> tuple[Experiment, Experiment]:
    """The experiment of the versions, and that of the first one, which differs where newer ones are others.

    `chosen` are the terms with chosen weights.
    """
    changes = dict(method.changes)
    if method.name == HOLDFAST:
        changes = default_recipe(protocol)
    else:
        changes["regularizers"] = [dict(term) for term in (chosen or method.terms)]
    if method.name == JOINT:
        changes["stream.scenario"] = _extended(protocol)
    name = f"{protocol.name}-{method.name}".replace("+", "-")
    first = protocol.experiment(name, seed, changes)
    if not protocol.newer:
        return first, first
    return protocol.experiment(name, seed, {**changes, **protocol.newer}), first


def default_recipe(protocol: Protocol) -> dict[str, Any]:
    """What the shipped experiment does beyond fine-tuning: terms, adapter, and the average of the weights."""
    shipped = load_experiment(EXPERIMENTS / f"{protocol.recipe}.yaml").model_dump(mode="json")
    return {
        "regularizers": shipped["regularizers"],
        "adapter": shipped["adapter"],
        "learning.average": shipped["learning"]["average"],
    }


def _extended(protocol: Protocol) -> str:
    """The scenario whose last task has the images of all, with the same ones held out."""
    scenario = protocol.plain.stream.scenario
    return {"class-incremental": "extended-class", "data-incremental": "extended-data"}.get(
        scenario, scenario
    )
