"""A whole sequence as one Ray Train job: one `fit()`, because starting a trainer costs 10 s and more."""

import os
import time
from concurrent.futures import Future, wait
from threading import Thread
from typing import Any

import ray
import ray.train
import ray.train.torch
import torch
from ray.train import FailureConfig, RunConfig, ScalingConfig

from holdfast import scaling
from holdfast.base import HoldfastError, cpu_count
from holdfast.config import Experiment, parse_experiment
from holdfast.data import StreamedImages
from holdfast.jobs.elastic import HoldfastTrainer, Relay, TellsHost
from holdfast.jobs.host import RemoteCheckpoints, RemotePublisher, start_host
from holdfast.jobs.network import ReachableTorchConfig
from holdfast.jobs.release import require_release, this_release
from holdfast.jobs.resources import require_resources
from holdfast.jobs.runtime import joins_cluster, ray_session, work_in
from holdfast.jobs.stream_on_ray import BESIDE_WORKER, read_on_ray
from holdfast.learning import Progress, Ranks, Watcher, keep_freed_memory, run_sequence
from holdfast.runs import RunFolder, find_base, load_datasets
from holdfast.store import Store

LOOK_SECONDS = 0.25
END_SECONDS = 5.0


def run_on_ray(
    store: Store,
    experiment: Experiment,
    watch: Watcher,
    verbose: bool,
    epoch: int,
    publish_anyway: bool = False,
) -> None:
    """Learn on the Ray of this process, which holds the run by the lock of `epoch`."""
    # Trackers follow from here: what they need has to be on no other machine.
    experiment = experiment.model_copy(update={"tracking": ()})
    chosen = experiment.scaling
    # Decoded here first: the workers then find the cache, and a mistake in the data costs no start of Ray.
    base = find_base(store, experiment)
    data = load_datasets(experiment, watch, base=base)
    streams = isinstance(data.training.images, StreamedImages)
    cpus, each = max(cpu_count(), chosen.cpus * chosen.most), dict(chosen.each)
    if streams:
        # Of an instance of our own CPUs are what we call so: what reads and decodes waits for no worker.
        cpus += chosen.most + cpu_count()
        each["CPU"] = each.get("CPU", 0.0) + BESIDE_WORKER
    with ray_session(verbose=verbose, cpus=cpus):
        watch(Progress("starting Ray", 0, 0))
        what = f"Run '{experiment.name}'"
        # What it waits for is said while it does.
        require_resources(what, chosen.least, each, chosen.placement, warn=False)
        host = start_host(experiment, store.place, epoch, publish_anyway)
        trainer = HoldfastTrainer(
            host,
            joins_cluster(),
            _learn_on_worker,
            train_loop_config={
                "experiment": experiment.model_dump(mode="json"),
                "host": host,
                "cpus": chosen.cpus,
                "base": ray.put(base),
                # Without pixels: looked through once, here, and not by each of them.
                "data": ray.put(data) if streams else None,
                "folder": os.getcwd(),
                "release": this_release(),
            },
            # NCCL wants a GPU for each worker.
            torch_config=ReachableTorchConfig(backend="gloo" if 0 < chosen.gpus < 1 else None),
            scaling_config=_as_ray_has_it(chosen),
            run_config=RunConfig(
                name=f"{experiment.name}-{int(time.time())}",
                **RunFolder(store, experiment.name).storage("ray"),
                failure_config=FailureConfig(max_failures=chosen.max_failures),
                callbacks=[TellsHost(host)],
            ),
        )
        relay = Relay(what, chosen, host, watch)
        fitted = _begin(trainer)
        try:
            while not fitted.done():
                relay.pass_on()
                time.sleep(LOOK_SECONDS)
            # What was said last, also where it failed.
            relay.pass_on()
            fitted.result()
            mistake: HoldfastError | None = ray.get(host.mistake.remote())
        finally:
            if not fitted.done():
                # A thread that still waits for Ray would not survive its end.
                relay.end()
                wait([fitted], END_SECONDS)
            ray.kill(host)
        if mistake is not None:
            raise mistake


def _as_ray_has_it(chosen: scaling.ScalingConfig) -> ScalingConfig:
    each = {name: amount for name, amount in chosen.each.items() if not name.startswith(scaling.ACCELERATOR)}
    return ScalingConfig(
        num_workers=(chosen.least, chosen.most) if chosen.elastic else chosen.most,
        use_gpu=chosen.gpus > 0,
        resources_per_worker=each,
        accelerator_type=chosen.accelerator_type,
        placement_strategy=chosen.placement,
        elastic_resize_monitor_interval_s=chosen.resize_seconds,
    )


def _begin(trainer: HoldfastTrainer) -> Future[Any]:
    """`fit` beside this thread, in which Ctrl-C then ends the run at once: Ray would ask its controller to
    stop, which may be busy waiting."""
    fitted: Future[Any] = Future()

    def fit() -> None:
        try:
            fitted.set_result(trainer.fit())
        except BaseException as error:
            fitted.set_exception(error)

    Thread(target=fit, name="ray-train", daemon=True).start()
    return fitted


def _learn_on_worker(config: dict[str, Any]) -> None:
    """The training function of one Ray Train worker."""
    work_in(config["folder"])
    host = config["host"]
    keep_freed_memory()
    torch.set_num_threads(config["cpus"])
    context = ray.train.get_context()
    ranks = Ranks(context.get_world_rank(), context.get_world_size())
    checkpoints = RemoteCheckpoints(host, ranks)
    try:
        require_release(config["release"])
        # What it names may be missing on this machine.
        experiment = parse_experiment(config["experiment"], f"on {os.uname().nodename}")
        # Nobody begins where one cannot.
        ranks.meet()
        if experiment.scaling.elastic:
            checkpoints.watch(
                Progress(f"learning on {ranks.world} of {experiment.scaling.most} workers", 0, 0)
            )
        data = None if config["data"] is None else ray.get(config["data"])
        run_sequence(
            experiment,
            data or load_datasets(experiment, base=ray.get(config["base"])),
            RemotePublisher(host),
            checkpoints,
            checkpoints.watch,
            ranks,
            ray.train.torch.get_device(),
            wanted=checkpoints.wanted,
            read=read_on_ray,
        )
    except HoldfastError as mistake:
        # A user's mistake is no failure of a worker: Ray would only repeat it.
        ray.get(host.fail.remote(mistake))
        ranks.leave()
    except Exception:
        # Of one that has left the others, whose mistake it was.
        if ray.get(host.mistake.remote()) is None:
            raise
