"""From a learned task to a version: publish it, fit its adapters, calibrate its scores, measure it against
its ancestors, redraw the report."""

import json
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from safetensors.numpy import save_file

from holdfast.base import ConfigError, UnsoundError, hide_secrets, load_yaml
from holdfast.config import Experiment
from holdfast.data import Featurizer, StreamConfig, Task, build_stream, note_measured
from holdfast.evaluation import REPORT, Report, Validation, describe_machine, draw_report
from holdfast.learning import (
    Ancestor,
    Datasets,
    Learned,
    describe_contents,
    outline_contents,
    validation_indices,
)
from holdfast.models import Preprocessing
from holdfast.publishing.ancestor import (
    CLASSES,
    HEAD,
    KEPT,
    LINEAGE_IMAGES,
    find_unusable,
    lineage,
    load_ancestor,
    published_by,
    warn_of_unusable,
)
from holdfast.publishing.assessment import Assessment
from holdfast.publishing.code_assessment import CodeAssessment
from holdfast.publishing.connecting import Material, connect_exactly, connect_version, inherit_adapters
from holdfast.publishing.sampling import Sampled, embed_sample, sample_entries, sample_images
from holdfast.publishing.seeing import Seen, look
from holdfast.publishing.standing import VALIDATION, Standings, refuse_worse
from holdfast.store import DISTILLED_FROM, Draft, Kind, Run, Store, Version

DATA = "data"
"""Key of a version's metrics: what it learned from and was measured on, in outline."""


class ReportFolder(Protocol):
    """Where a run has its report."""

    def place(self, file: str) -> str:
        """Where a file is, for people."""

    def write(self, file: str, data: bytes) -> None:
        """Write or replace a file, whole."""

    def report(self, versions: Iterable[Version]) -> dict[str, Any] | None:
        """What the report holds; None where there is none about these versions of the store."""


class StorePublisher:
    """Publishes into a store that this process has open. The workers' only way to the database.

    Args:
        folder: where a run of this name has its report.
        decode: the experiment's images as a version of another preprocessing reads them, or as vectors.
        still_ours: raises if another process has taken the run over.
        publish_anyway: publish also what is surely worse than doing nothing.
    """

    def __init__(
        self,
        store: Store,
        experiment: Experiment,
        run: Run,
        data: Datasets,
        folder: Callable[[str], ReportFolder],
        decode: Callable[[Preprocessing | Featurizer], Datasets],
        still_ours: Callable[[], None] = lambda: None,
        publish_anyway: bool = False,
    ) -> None:
        self._still_ours, self._publish_anyway = still_ours, publish_anyway
        self._store, self._experiment, self._run, self._data = store, experiment, run, data
        self._folder, self._decoded = folder, decode
        self._files = folder(run.name)
        self._publishing = self._published_before()
        self._sound: set[str] = set()
        self._unusable: dict[str, str] = {}
        self._known: dict[str, Seen] = {}
        self._connected: set[str] = set()

    @cached_property
    def _tasks(self) -> tuple[Task, ...]:
        return build_stream(self._experiment.stream, self._data.training, self._experiment.seed)

    @cached_property
    def _outline(self) -> dict[str, Any]:
        return outline_contents(describe_contents(self._data))

    @cached_property
    def assessment(self) -> Assessment:
        """The measurements of the lineage, on the experiment's data."""
        experiment = self._experiment
        return Assessment(
            self._store,
            self._data,
            self._tasks,
            experiment.evaluation,
            experiment.seed,
            self._decode,
            experiment.model.base,
            self._seen,
        )

    @cached_property
    def _standings(self) -> Standings:
        experiment = self._experiment
        return Standings(self._data, self._tasks, experiment.seed, experiment.evaluation.resamples)

    @cached_property
    def _code_assessment(self) -> CodeAssessment:
        resamples = self._experiment.evaluation.resamples
        return CodeAssessment(self._store, self.assessment, self._data.evaluation, resamples)

    @property
    def _kind(self) -> Kind:
        if self._experiment.distillation is not None:
            return "distilled"
        return "trained" if self._experiment.model.base is None else "projection"

    def _decode(self, preprocessing: Preprocessing) -> Datasets:
        """The experiment's images as a version reads them."""
        if preprocessing == self._experiment.model.preprocessing:
            return self._data
        return self._decoded(preprocessing)

    def parent(self) -> Ancestor | None:
        if self._run.parent is None:
            return None
        return load_ancestor(
            self._store,
            self._run.parent,
            lambda name: self._seen(name).training,
            self._experiment.model.base,
        )

    def gallery_sample(self) -> np.ndarray | None:
        return self._gallery_sample

    @cached_property
    def _gallery_sample(self) -> np.ndarray | None:
        """Read once, so that all workers have the same, whatever becomes of the gallery meanwhile."""
        config = self._experiment.sample
        if config is None or self._run.parent is None:
            return None
        names = [version.name for version in reversed(lineage(self._store, self._run.parent))]
        preprocessing = self._experiment.model.preprocessing
        return sample_images(self._store, names, config, preprocessing, self._experiment.seed)

    def _seen(self, version: str) -> Seen:
        """What a version without a network that learns makes of the experiment's images."""
        if version not in self._known:
            self._known[version] = look(self._store, version, self._data, self._decoded)
        return self._known[version]

    def publish(self, learned: Learned) -> str:
        """See `Publisher`. Raises BelowBaselineError, unless it is to be published anyway."""
        self._still_ours()
        started = time.perf_counter()
        validation = self._validate(learned)
        images_per_second = learned.images / max(learned.seconds["learning"], 1e-9)
        with tempfile.TemporaryDirectory(prefix="holdfast-publish-") as temporary:
            folder = Path(temporary) / "encoder"
            learned.encoder.save(folder)
            files: dict[str, Path] = {}
            if learned.directions is not None:
                files = {name: Path(temporary) / name for name in (HEAD, CLASSES)}
                save_file({"directions": learned.directions}, files[HEAD])
                files[CLASSES].write_text(json.dumps(list(learned.classes)))
            if learned.kept:
                files[KEPT] = Path(temporary) / KEPT
                save_file(dict(learned.kept), files[KEPT])
            distilled = self._experiment.distillation is not None
            base = self._experiment.model.base
            version = self._store.versions.publish(
                Draft(
                    run=self._run.name,
                    attempt=self._run.attempt,
                    task=learned.task,
                    parent=learned.parent,
                    model_folder=folder,
                    experiment=hide_secrets(self._experiment.to_yaml()),
                    data_fingerprint=self._data.training.fingerprint,
                    metrics={
                        "task": learned.name,
                        "classes": len(learned.classes),
                        "images": learned.images,
                        DATA: self._outline,
                        LINEAGE_IMAGES: learned.lineage_images,
                        "images_per_second": images_per_second,
                        "seconds": dict(learned.seconds),
                        "history": learned.history,
                        **({VALIDATION: validation.as_dict()} if validation is not None else {}),
                        **({DISTILLED_FROM: learned.parent} if distilled else {}),
                    },
                    files=files,
                    kind=self._kind,
                    base=None if base is None else self._store.versions.get(base.name).name,
                )
            )
        self._sound.add(version.name)
        self.assessment.keep(version.name, learned.embedded)
        self.report(version.name, started, whole=learned.task + 1 == learned.tasks)
        self._publishing += time.perf_counter() - started
        return version.name

    def _validate(self, learned: Learned) -> Validation | None:
        """Where a version stands beside its base and its parent; None for one that was distilled, or where
        no image is held out."""
        if self._experiment.distillation is not None or not len(learned.embedded.validation):
            return None
        parent = None if learned.parent is None else self._parent_on_validation(learned.parent)
        validation = self._standings.measure(learned, parent)
        published = {version.task for version in published_by(self._store, self._run)}
        if validation is not None and not self._publish_anyway and learned.task not in published:
            refuse_worse(validation, learned, self._experiment)
        return validation

    def _parent_on_validation(self, name: str) -> np.ndarray | None:
        """What a parent makes of the validation images; None for one that is of no use, or is the base."""
        base = self._experiment.model.base
        if base is not None and self._store.versions.get(base.name).name == name:
            return None
        if base is None and not self._store.versions.get(name).has_network:
            return self._seen(name).training[validation_indices(self._tasks)]
        return self.assessment.embedded(name).validation if self._is_usable(name) else None

    def _is_usable(self, version: str) -> bool:
        """Whether a version can be measured; its model is loaded only if nobody knows."""
        if version in self._sound or self.assessment.has_sound(version):
            return True
        return not find_unusable(self._store, [self._store.versions.get(version)])

    def report(self, newest: str, started: float | None = None, whole: bool = True) -> None:
        """Fit the adapters and measure the calibrations that the run's versions lack, measure the lineage
        that ends with `newest` and redraw the run's report.

        Args:
            started: since when, on `time.perf_counter`, the publication lasts that this belongs to.
            whole: False leaves the older versions' searches of the mixed gallery to a later report, because
                they are all made anew for every version.
        """
        lineage = self._usable_lineage(newest, publishing=started is not None)
        names = [version.name for version in lineage]
        self._connect(lineage)
        self.assessment.measure(names)
        control = self._experiment.evaluation.control
        figures = self.assessment.figures(names, self._control_self(control), whole)
        codes = self._code_assessment.figures(lineage)
        own = [version.metrics for version in lineage if version.run == self._run.name and version.metrics]
        seconds = {
            phase: sum(metrics["seconds"].get(phase, 0.0) for metrics in own)
            for phase in ("learning", "embedding")
        }
        seconds["publishing"] = self._publishing
        if started is not None:
            # All but the drawing itself, of which the drawing cannot tell.
            seconds["publishing"] += time.perf_counter() - started
        images = sum(metrics["images"] for metrics in own)
        drawn = draw_report(
            Report(
                name=self._experiment.name,
                experiment=load_yaml(hide_secrets(self._experiment.to_yaml())),
                seed=self._experiment.seed,
                versions=names,
                contracts=[version.contract for version in lineage],
                distilled_from=lineage[-1].distilled_from,
                control=control,
                images_per_second=images / max(seconds["learning"], 1e-9),
                seconds=seconds,
                codes=codes,
                validation=[version.metrics.get(VALIDATION) for version in lineage],
                notes=[*self._data.notes, *note_measured(self._tasks)],
                machine={**describe_machine(), "threads": self._experiment.scaling.cpus},
                **figures,
            )
        )
        for file, text in drawn.items():
            self._files.write(file, text.encode())

    def _connect(self, lineage: list[Version]) -> None:
        """Here and not in `publish`, so that what a crash left undone is done by whoever measures next.

        Each version is looked at once by this process: a publication reads what is new.
        """
        for number, version in enumerate(lineage):
            if not number or version.name in self._connected:
                continue
            if self._learned_from_these_tasks(version):
                self._connect_one(version, [ancestor.name for ancestor in lineage[:number]])
            self._connected.add(version.name)

    def _connect_one(self, version: Version, ancestors: list[str]) -> None:
        if self._experiment.distillation is not None:
            inherit_adapters(self._store, version)
            return
        if version.base is not None:
            connect_exactly(self._store, version)
            return
        material = Material(
            self._data.training,
            self._tasks[version.task].train,
            self._experiment.learning.augment,
            self._experiment.seed,
            lambda name: self._seen(name).training,
            self._sample,
            self._experiment.sample,
        )
        connect_version(self._store, self._experiment.adapter, version, ancestors, material)

    def _learned_from_these_tasks(self, version: Version) -> bool:
        """Whether a version is this run's, and the experiment still cuts the tasks that it was made with."""
        if (version.run, version.attempt) != (self._run.name, self._run.attempt):
            return False
        made = load_yaml(version.experiment)
        return (
            version.data_fingerprint == self._data.training.fingerprint
            and made["seed"] == self._experiment.seed
            and StreamConfig.model_validate(made["stream"]) == self._experiment.stream
        )

    def _published_before(self) -> float:
        """The seconds that earlier processes spent on publishing this attempt's versions."""
        before = self._files.report(self._store.versions.list())
        own = {version.name for version in published_by(self._store, self._run)}
        if before is None or before["versions"][-1] not in own:
            return 0.0
        return float(before["seconds"]["publishing"])

    def _usable_lineage(self, newest: str, publishing: bool) -> list[Version]:
        """The versions from the first ancestor to `newest`, but for those that can meet no other.

        Each is looked at once; who only measures runs no model whose embeddings are kept, and is warned.
        Raises UnsoundError if it is the newest itself.
        """
        chain = lineage(self._store, newest)
        unseen = [version for version in chain if version.name not in self._sound | self._unusable.keys()]
        doubtful = [v for v in unseen if publishing or not self.assessment.has_sound(v.name)]
        found = find_unusable(self._store, doubtful) | self._unmeasurable(doubtful, newest)
        if newest in found:
            raise UnsoundError(found[newest])
        if not publishing:
            warn_of_unusable(found)
        self._unusable |= found
        self._sound |= {version.name for version in unseen} - found.keys()
        return [version for version in chain if version.name in self._sound]

    def _sample(self, version: str, ancestor: str) -> Sampled | None:
        """Entries of an ancestor as it and a version see them, or what stands for them."""
        config, images = self._experiment.sample, self._data.sample
        if config is None:
            return None
        if images is None:
            return sample_entries(self._store, version, ancestor, config, self._experiment.seed)
        return embed_sample(self._store, version, ancestor, images, lambda name: self._seen(name).sample)

    def _unmeasurable(self, versions: list[Version], newest: str) -> dict[str, str]:
        """Why which versions cannot be measured on the experiment's images."""
        if self._experiment.model.base is not None:
            # What is learned over are the base's vectors, and all of the lineage map these.
            return {}
        return {
            version.name: f"It embeds no images, and the gallery lacks its vectors of evaluation images: "
            f"holdfast bridge {version.name} {newest} measures the two by others."
            for version in versions
            if not version.takes and self._seen(version.name).queries is None
        }

    def _control_self(self, control: str | None) -> list[float | None] | None:
        """The self-tests of the control run, one a task; they stand for an unconstrained model."""
        if control is None:
            return None
        files = self._folder(control)
        known = control in {run.name for run in self._store.runs.list()}
        report = files.report(self._store.versions.list()) if known else None
        if report is None:
            advice = "Redraw it with holdfast evaluate" if known else "Run that control first"
            raise ConfigError(
                f"evaluation.control: no report of a run '{control}' in this store ({files.place(REPORT)}). "
                f"{advice}, or leave the key out."
            )
        return [row[number] for number, row in enumerate(report["recall_at_1"])]
