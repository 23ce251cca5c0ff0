import re

from holdfast.tuning import Point, Sweep, Trial, TuningConfig, importances, mark_front, render_sweep

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
