"""A run, in this process or on Ray.

Ray is imported only where it is used, so that `workers: 0` learns on a machine without it.
"""

from functools import partial

from holdfast.config import Experiment
from holdfast.jobs.runtime import prepare_environment
from holdfast.learning import Watcher
from holdfast.runs import RunCheckpoints, RunOutcome, learn_experiment, learn_here, require_run
from holdfast.store import Run, Store


def run_experiment(
    store: Store,
    experiment: Experiment,
    watch: Watcher,
    fresh: bool = False,
    verbose: bool = False,
    publish_anyway: bool = False,
) -> RunOutcome:
    """`learn_experiment`, on as many workers as the experiment says. `verbose` lets Ray speak;
    `publish_anyway` publishes also what is surely worse than doing nothing."""
    if experiment.scaling.workers == 0:
        here = partial(learn_here, publish_anyway=publish_anyway)
        return learn_experiment(store, experiment, watch, fresh, here)

    def learn_on_ray(store: Store, experiment: Experiment, run: Run, watch: Watcher, epoch: int) -> None:
        # Looked at here first: a warning of the host's, in a process of Ray's, reaches nobody.
        RunCheckpoints(store, run, partial(require_run, store, run.name, epoch)).latest()
        prepare_environment()
        from holdfast.jobs.train_on_ray import run_on_ray

        run_on_ray(store, experiment, watch, verbose, epoch, publish_anyway)

    return learn_experiment(store, experiment, watch, fresh, learn_on_ray)
