"""Regularizers and heads of a package that Holdfast does not know, named in an experiment by their place."""

import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

from holdfast.base import ConfigError, load_class
from holdfast.config import Experiment, load_experiment, parse_experiment
from holdfast.regularizers import RegularizerConfig

PACKAGE = '''
from pydantic import Field, field_validator

from holdfast.models import Head, HeadConfig
from holdfast.regularizers import Regularizer, RegularizerConfig


class Pull(Regularizer):
    def forward(self, step):
        return (step.embeddings - step.parent_embeddings).square().mean()


class PullConfig(RegularizerConfig):
    """Towards the parent."""

    weight: float = Field(default=3.0, ge=0)
    power: int = Field(default=2, ge=1)
    names: tuple[str, ...] = ()

    @field_validator("power")
    @classmethod
    def _is_even(cls, power):
        if power % 2:
            raise ValueError("power must be even")
        return power

    def build(self):
        return Pull()


class Unfinished(RegularizerConfig):
    pass


class Named(PullConfig):
    kind: str = "named"


class Nothing:
    pass


class Plain(HeadConfig):
    scale: float = Field(16, gt=0)

    def build(self, dimension, classes, numbers=None):
        raise NotImplementedError
'''
PULL = "acme.terms:PullConfig"
VALUES: dict[str, Any] = {
    "name": "some",
    "data": {"source": "glyphs:", "train": {"split": "train"}, "evaluate": {"split": "evaluation"}},
    "stream": {"tasks": 3},
}


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "installed" / "acme"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "terms.py").write_text(PACKAGE)
    (folder / "broken.py").write_text("import acme.no_such_part\n")
    (folder / "leaves.py").write_text("raise SystemExit(3)\n")
    monkeypatch.syspath_prepend(str(folder.parent))
    for name in [name for name in sys.modules if name.split(".")[0] == "acme"]:
        monkeypatch.delitem(sys.modules, name)


def experiment(*terms: dict[str, Any], **changes: Any) -> Experiment:
    return parse_experiment({**VALUES, "regularizers": list(terms), **changes})


def refused(**changes: Any) -> str:
    with pytest.raises(ConfigError) as error:
        parse_experiment({**VALUES, **changes})
    return str(error.value)


def test_it_is_read_written_and_read_again_like_a_built_in_one(tmp_path: Path) -> None:
    given = experiment(
        {"kind": PULL, "power": 4, "names": ["a"]},
        {"kind": "prototype-alignment"},
        model={"head": {"kind": "acme.terms:Plain", "scale": 8}},
    )
    term, head = given.regularizers[0], given.model.head
    assert (type(term).__name__, term.weight, term.model_dump()["power"]) == ("PullConfig", 3.0, 4)
    assert (head.kind, head.model_dump()["scale"]) == ("acme.terms:Plain", 8)
    assert type(term.build()).__name__ == "Pull"
    (tmp_path / "some.yaml").write_text(given.to_yaml())
    assert load_experiment(tmp_path / "some.yaml") == given
    changed = load_experiment(tmp_path / "some.yaml", [f"regularizers.{PULL}.power=6"])
    assert changed.regularizers[0].model_dump()["power"] == 6
    assert Experiment.model_validate_json(given.model_dump_json()) == given
    assert pickle.loads(pickle.dumps(given)) == given


def test_what_it_is_decides_the_fingerprint() -> None:
    same = [experiment({"kind": PULL}).fingerprint, experiment({"kind": PULL, "power": 2}).fingerprint]
    assert same[0] == same[1]
    assert experiment({"kind": PULL, "power": 4}).fingerprint != same[0]
    assert experiment({"kind": "feature-distillation", "weight": 3}).fingerprint != same[0]


def test_a_config_made_in_python_knows_where_it_lies() -> None:
    config = load_class(PULL, RegularizerConfig)
    assert config().kind == PULL
    assert experiment(config(power=4)) == experiment({"kind": PULL, "power": 4})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"powr": 2},
            f"regularizers.0.{PULL}.powr: unknown key. Did you mean 'power'? "
            "Allowed here: kind, weight, power, names.",
        ),
        ({"weight": -1}, f"regularizers.0.{PULL}.weight: Input should be greater than or equal to 0"),
        ({"power": 3}, f"regularizers.0.{PULL}.power: power must be even (got 3)."),
        ({"names": [7]}, f"regularizers.0.{PULL}.names.0: Input should be a valid string; put it in quotes"),
    ],
)
def test_a_mistake_is_explained_like_that_of_a_built_in_one(given: dict[str, Any], said: str) -> None:
    assert said in refused(regularizers=[{"kind": PULL, **given}])


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("acme.terms:PulConfig", "acme.terms has no PulConfig. Did you mean 'acme.terms:PullConfig'?"),
        ("acme.terms:Nothing", "is not derived from holdfast.regularizers.regularizer.RegularizerConfig"),
        ("acme.terms:Pull", "is not derived from holdfast.regularizers.regularizer.RegularizerConfig"),
        ("acme.terms:Plain", "is not derived from holdfast.regularizers.regularizer.RegularizerConfig"),
        ("acme.terms:PACKAGE", "acme.terms has no PACKAGE."),
        ("acme.terms:Unfinished", "is not complete: it lacks build."),
        ("acme.terms:Named", "has the kind 'named' of its own"),
        ("acme.term:PullConfig", "there is no module 'acme.term' here; install the package"),
        ("acmee.terms:PullConfig", "there is no module 'acmee' here; install the package"),
        ("acme.broken:PullConfig", "acme.broken cannot be imported, ModuleNotFoundError: No module named"),
        ("acme.leaves:PullConfig", "acme.leaves cannot be imported, SystemExit: 3."),
        ("acme/terms.py:PullConfig", "names no class: write it as package.module:Class."),
        ("acme.terms:", "names no class: write it as package.module:Class."),
        ("prototype-aligment", "unknown kind 'prototype-aligment'. Did you mean 'prototype-alignment'?"),
        ("prototype-aligment", "'structural-regularization', 'whitening', or 'package.module:Class'"),
        (None, "'kind' is missing. Allowed are 'adversarial', "),
        (7, "unknown kind 7."),
    ],
)
def test_a_kind_that_cannot_be_used_is_refused_with_the_reason(kind: Any, said: str) -> None:
    sentence = refused(regularizers=[{"kind": kind} if kind is not None else {"weight": 1}])
    assert sentence.startswith("experiment:\n  regularizers.0: ")
    assert said in sentence


def test_a_head_s_mistakes_are_explained_too() -> None:
    assert "model.head.acme.terms:Plain.scales: unknown key. Did you mean 'scale'?" in refused(
        model={"head": {"kind": "acme.terms:Plain", "scales": 1}}
    )
    assert "model.head: unknown kind 'cosfase'. Did you mean 'cosface'?" in refused(
        model={"head": {"kind": "cosfase"}}
    )
