"""A whole sequence as one Ray Train job: one `fit()`, because starting a trainer costs 10 s and more."""

import os
import threading
import time
from contextlib import suppress
from typing import Any

import ray
import ray.train
import ray.train.torch
import torch
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

from holdfast.base import HoldfastError, cpu_count
from holdfast.config import Experiment, parse_experiment
from holdfast.jobs.host import RemoteCheckpoints, RemotePublisher, start_host
from holdfast.jobs.network import ReachableTorchConfig
from holdfast.jobs.release import require_release, this_release
from holdfast.jobs.resources import require_resources
from holdfast.jobs.runtime import ray_session, work_in
from holdfast.learning import Progress, Ranks, Watcher, keep_freed_memory, run_sequence
from holdfast.runs import RunFolder, find_base, load_datasets
from holdfast.store import Store

_DRAIN_SECONDS = 30


def run_on_ray(
    store: Store,
    experiment: Experiment,
    watch: Watcher,
    verbose: bool,
    epoch: int,
    publish_anyway: bool = False,
) -> None:
    """Learn on the Ray of this process, which holds the run by the lock of `epoch`."""
    scaling = experiment.scaling
    cpus = scaling.cpus
    # Trackers follow from here: what they need has to be on no other machine.
    experiment = experiment.model_copy(update={"tracking": ()})
    # Decoded here first: the workers then find the cache, and a mistake in the data costs no start of Ray.
    base = find_base(store, experiment)
    load_datasets(experiment, watch, base=base)
    with ray_session(verbose=verbose, cpus=max(cpu_count(), cpus * scaling.workers)):
        watch(Progress("starting Ray", 0, 0))
        require_resources(
            f"Run '{experiment.name}'", scaling.workers, {"CPU": cpus, "GPU": 1.0 if scaling.gpu else 0.0}
        )
        host = start_host(experiment, store.place, epoch, publish_anyway)
        trainer = TorchTrainer(
            _learn_on_worker,
            train_loop_config={
                "experiment": experiment.model_dump(mode="json"),
                "host": host,
                "cpus": cpus,
                "base": ray.put(base),
                "folder": os.getcwd(),
                "release": this_release(),
            },
            torch_config=ReachableTorchConfig(),
            scaling_config=ScalingConfig(
                num_workers=scaling.workers,
                use_gpu=scaling.gpu,
                resources_per_worker={"CPU": cpus},
            ),
            run_config=RunConfig(
                name=f"{experiment.name}-{int(time.time())}",
                **RunFolder(store, experiment.name).storage("ray"),
                failure_config=FailureConfig(max_failures=scaling.max_failures),
            ),
        )
        finished = threading.Event()

        def drain() -> None:
            for progress in ray.get(host.drain.remote(), timeout=_DRAIN_SECONDS):
                watch(progress)

        def relay() -> None:
            # What ends the host is said by the trainer.
            with suppress(ray.exceptions.RayError):
                while not finished.wait(0.25):
                    drain()

        relaying = threading.Thread(target=relay, daemon=True)
        relaying.start()
        try:
            trainer.fit()
            mistake: HoldfastError | None = ray.get(host.mistake.remote())
        finally:
            finished.set()
            relaying.join(timeout=5)
            with suppress(ray.exceptions.RayError):
                drain()
            ray.kill(host)
        if mistake is not None:
            raise mistake


def _learn_on_worker(config: dict[str, Any]) -> None:
    """The training function of one Ray Train worker."""
    work_in(config["folder"])
    host = config["host"]
    keep_freed_memory()
    torch.set_num_threads(config["cpus"])
    context = ray.train.get_context()
    ranks = Ranks(context.get_world_rank(), context.get_world_size())

    def watch(progress: Progress) -> None:
        if ranks.rank == 0:
            host.watch.remote(progress)

    try:
        require_release(config["release"])
        # What it names may be missing on this machine.
        experiment = parse_experiment(config["experiment"], f"on {os.uname().nodename}")
        run_sequence(
            experiment,
            load_datasets(experiment, base=ray.get(config["base"])),
            RemotePublisher(host),
            RemoteCheckpoints(host, ranks),
            watch,
            ranks,
            ray.train.torch.get_device(),
        )
    except HoldfastError as mistake:
        # A user's mistake is no failure of a worker: Ray would only repeat it.
        ray.get(host.fail.remote(mistake))
        ranks.leave()
    except Exception:
        # Of one that has left the others, whose mistake it was.
        if ray.get(host.mistake.remote()) is None:
            raise
