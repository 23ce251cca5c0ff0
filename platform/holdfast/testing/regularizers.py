"""What every regularizer keeps to."""

import copy

import pytest
import torch
from pydantic import TypeAdapter

from holdfast.regularizers import AnyRegularizerConfig, Regularizer, RegularizerConfig, TaskStart
from holdfast.testing.tasks import tiny_step, tiny_task


class RegularizerContract:
    """Give it the fixture `config`; the method `make_task` too, if it needs others than `tiny_task` makes."""

    @pytest.fixture
    def config(self) -> RegularizerConfig:
        raise NotImplementedError("give the suite a fixture `config`")

    def make_task(self, index: int = 1, dimension: int = 6, parent_dimension: int = 6) -> TaskStart:
        return tiny_task(index, dimension, parent_dimension)

    @pytest.fixture
    def task(self) -> TaskStart:
        return self.make_task()

    def test_its_config_is_read_as_it_is_written(self, config: RegularizerConfig) -> None:
        written = config.model_dump(mode="json")
        assert TypeAdapter(AnyRegularizerConfig).validate_python(written) == config
        assert config.weight_at(0.0) >= 0

    def test_its_loss_is_a_finite_scalar_that_teaches_the_new_model_alone(
        self, config: RegularizerConfig, task: TaskStart
    ) -> None:
        assert task.parent is not None
        before = copy.deepcopy(task.parent.state_dict())
        loss, term = self._learn(config, task)
        if loss is not None:
            assert loss.shape == ()
            assert loss.isfinite()
            if loss.requires_grad:
                loss.backward()
            learned = [*task.encoder.parameters(), *term.parameters()]
            assert all(each.grad.isfinite().all() for each in learned if each.grad is not None)
        assert all(each.grad is None for each in task.parent.parameters())
        after = task.parent.state_dict()
        assert all(torch.equal(before[name], after[name]) for name in before), "it changed the parent"

    def test_the_first_task_has_no_parent_and_is_only_finished(
        self, config: RegularizerConfig, task: TaskStart
    ) -> None:
        term = config.build()
        first = self.make_task(0, dimension=task.encoder.dimension)
        with torch.no_grad():
            term.finish(first)
        assert all(each.isfinite().all() for each in first.encoder.parameters())

    def test_what_it_remembers_is_in_its_state(self, config: RegularizerConfig, task: TaskStart) -> None:
        loss, term = self._learn(config, task)
        again = config.build()
        again.load_state_dict(term.state_dict())
        again.train(term.training)
        again.resume(task)
        assert again.state_dict().keys() == term.state_dict().keys()
        assert _same(_loss(again, task), loss), "it does not go on as it was after an interruption"

    def test_the_same_seed_gives_the_same_loss(self, config: RegularizerConfig, task: TaskStart) -> None:
        assert _same(self._learn(config, task)[0], self._learn(config, task)[0])

    def test_it_learns_the_next_task_too(self, config: RegularizerConfig, task: TaskStart) -> None:
        _, term = self._learn(config, task)
        term.finish(task)
        dimension = task.encoder.dimension
        following = self.make_task(task.index + 1, dimension, dimension)
        term.begin(following)
        loss = _loss(term, following)
        assert loss is None or loss.isfinite()

    def _learn(self, config: RegularizerConfig, task: TaskStart) -> tuple[torch.Tensor | None, Regularizer]:
        torch.manual_seed(0)
        term = config.build()
        with torch.no_grad():
            term.finish(self.make_task(0, task.encoder.dimension))
        term.begin(task)
        term.begin_epoch(0, task)
        return _loss(term, task), term


def _loss(term: Regularizer, task: TaskStart) -> torch.Tensor | None:
    torch.manual_seed(1)
    step = term.replace(tiny_step(task))
    assert len(step.embeddings) == len(step.labels)
    return term(step)


def _same(one: torch.Tensor | None, other: torch.Tensor | None) -> bool:
    return one is other is None or (one is not None and other is not None and torch.equal(one, other))
