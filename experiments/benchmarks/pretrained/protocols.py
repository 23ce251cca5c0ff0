"""The benchmarks: what an experiment gets that fine-tunes a pretrained trunk and names nothing else.

The last two blocks learn, over kept activations of those below (`papers.tail`), so that nothing is distorted;
embeddings have 512 numbers, for the time that maps of 1,280 take; all else is what `grocery-tuned.yaml` gets:
rates, epochs, terms, adapter, and a sample of the gallery.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from experiments.benchmarks.harness.cells import identity
from experiments.benchmarks.harness.places import EXPERIMENTS
from experiments.benchmarks.methods.protocols import SAMPLED, SMALL_SAMPLE, UNTIED, Protocol, Values
from experiments.benchmarks.methods.recipes import FINETUNE, HOLDFAST, Method
from experiments.benchmarks.methods.work import Job, make_job
from experiments.benchmarks.papers import sets
from experiments.benchmarks.papers.protocols import STILL, lowers, size_of, values_of
from holdfast.config import load_experiment
from holdfast.data import draw_sample
from holdfast.learning import Datasets

RECIPE = "grocery-tuned"
"""The experiment that ships, whose defaults are measured."""


@dataclass(frozen=True)
class TunedProtocol(Protocol):
    """One source of photographs. `folder`: where activations and weights are kept."""

    source: str = "grocery"
    folder: Path = Path()
    quick: bool = False

    @property
    def place(self) -> str:
        return f"{self.source} {self.sample}"

    def load(self) -> Datasets:
        source = sets.photographs(self.quick)[self.source]
        networks = lowers(self.source, self.folder, self.quick)
        data, _ = sets.load_kept(source, size_of(self.quick), networks, self.folder / "kept")
        evaluation, sample = draw_sample(data.evaluation, self.sample, seed=0)
        return Datasets(data.training, evaluation, sample=sample)

    def job(self, method: Method, seed: int) -> Job:
        """The cell of a method and a seed. Where files lie decides nothing of what it is known by."""
        job = make_job(self, method, seed)
        # Maps take longer to fit than the versions to learn, and the control is compared by its self-test.
        job = replace(job, variants=job.variants if method.name == HOLDFAST else ())
        told = job.experiment.model_dump_json(exclude={"scaling", "tuning", "evaluation", "name"})
        variants = [[each.name, each.config.model_dump(mode="json")] for each in job.variants]
        decisive = [told.replace(str(self.folder), ""), variants, self.place]
        return replace(job, id=identity(job.name, decisive))


def tuned_protocols(folder: Path, quick: bool = False) -> dict[str, TunedProtocol]:
    """By name, in the order of the tables."""
    made = []
    for source, by, said in (("grocery", "group", "coarse class"), ("caltech", "label", "class")):
        made.append(
            TunedProtocol(
                f"{source}-tuned",
                f"{source.capitalize()}, 6 tasks by {said}, trunk fine-tuned, gallery sample of {SAMPLED}",
                _values(source, "label" if quick else by, folder, quick),
                recipe=RECIPE,
                methods=(FINETUNE, HOLDFAST),
                sample=SMALL_SAMPLE if quick else SAMPLED,
                source=source,
                folder=folder,
                quick=quick,
            )
        )
    return {one.name: one for one in made}


def _values(source: str, by: str, folder: Path, quick: bool) -> Values:
    kept = values_of(source, folder, quick)
    shipped = load_experiment(EXPERIMENTS / f"{RECIPE}.yaml").model_dump(mode="json")
    learning = {**shipped["learning"], "augment": STILL, "precision": "float32"}
    if quick:
        learning |= {"epochs": 1, "batch_size": 16}
    return {
        "data": kept["data"],
        "stream": {"scenario": "class-incremental", "tasks": 2 if quick else 6, "by": by, "validation": 0},
        "model": {
            **kept["model"],
            "head": shipped["model"]["head"],
        },
        "learning": learning,
        **UNTIED,
    }
