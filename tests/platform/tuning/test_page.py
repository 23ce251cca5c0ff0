import re

from holdfast.tuning import Point, Sweep, Trial, TuningConfig, importances, mark_front, render_sweep
from holdfast.tuning.scatter import scatter

SPACE = {
    "regularizers.a.weight": {"kind": "uniform", "low": 0, "high": 1},
    "learning.rate": {"kind": "loguniform", "low": 0.1, "high": 10},
}


def swept() -> Sweep:
    trials = []
    for number in range(16):
        weight = number / 16
        high = 50 + 20 * weight
        curve = [Point(task, high, high, 50 - weight, 100 * task, task) for task in (1, 2)]
        values = {"regularizers.a.weight": weight, "learning.rate": 1 + (number * 7) % 5}
        trials.append(Trial(number, values, "done", curve))
    trials.append(Trial(16, {"learning.rate": 9.0}, "failed", error="<b>it broke</b>"))
    trials.append(Trial(17, {"learning.rate": 9.0}, "stopped", [Point(1, 1, 1, 1, 100, 1)]))
    mark_front(trials)
    return Sweep({}, trials)


def test_the_page_shows_front_importance_curves_and_files():
    config, sweep = TuningConfig.model_validate({"space": SPACE, "trials": 18}), swept()
    shares = importances(config, sweep.trials, lambda key: False)
    assert next(iter(shares)) == "regularizers.a.weight"
    files = {trial.number: f"name: of-{trial.number}" for trial in sweep.trials if trial.pareto}
    page = render_sweep("mine", config, sweep, 2, shares, files)
    assert page.count('class="trial best"') == sum(trial.pareto for trial in sweep.trials)
    assert 'class="trial stopped"' in page
    assert all(text in page for text in files.values())
    assert "<b>it broke" not in page
    assert "Trial 15 is highest on validation: mean of self and cross 68.75, +18.75 against" in page
    assert not re.search(r'(src|href)="http', page)


def test_few_trials_say_nothing_of_importance():
    config = TuningConfig.model_validate({"space": SPACE})
    assert importances(config, swept().trials[:7], lambda key: False) == {}
    sweep = Sweep({}, swept().trials[:1])
    page = render_sweep("mine", config, sweep, 2, {}, {})
    assert "What decides" not in page
    assert "No trial is above the experiment as it stands" in page


def test_a_start_that_was_stopped_is_compared_after_as_many_tasks():
    config, sweep = TuningConfig.model_validate({"space": SPACE, "trials": 18}), swept()
    start = sweep.trials[0]
    start.state, start.curve = "stopped", [Point(1, 66, 90, 90, 100, 1)]
    page = render_sweep("mine", config, sweep, 2, {}, {})
    # 68.75 and 66 are of different tasks; after the first one the best trial has 68.75, too.
    assert "+2.75 against the experiment as it stands after 1 of the tasks, where one" in page
    sweep.trials[15].curve = sweep.trials[15].curve[1:]
    assert "has no figure of as many tasks" in render_sweep("mine", config, sweep, 2, {}, {})


def test_names_in_the_scatter_do_not_lie_over_each_other():
    trials = [
        Trial(number, {}, "done", [Point(1, 70, 70 + number / 50, 70 - number / 50, 100, 1)])
        for number in range(4)
    ]
    trials.append(Trial(9, {}, "done", [Point(1, 60, 60, 60, 100, 1)]))
    mark_front(trials)
    page = str(scatter(trials))
    found = re.findall(r'class="label" x="([^"]+)" y="([^"]+)"[^>]*>([^<]+)', page)
    assert len(found) == 4
    boxes = [(float(x), float(y), float(x) + 6 * len(name)) for x, y, name in found]
    for place, (left, base, right) in enumerate(boxes):
        for other, beneath, end in boxes[:place]:
            assert left >= end or other >= right or abs(base - beneath) >= 10
