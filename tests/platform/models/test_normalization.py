import copy
import time
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as processes
from torch import distributed as dist
from torch import nn

from holdfast.models import Encoder, ModelConfig
from holdfast.models.normalization import SyncedBatchNorm1d, SyncedBatchNorm2d, synchronize


def a_layer(kind: str, synced: bool) -> nn.Module:
    """Batch norm whose weights, bias and statistics are not the initial ones."""
    torch.manual_seed(3)
    kinds = {
        ("1d", False): nn.BatchNorm1d,
        ("1d", True): SyncedBatchNorm1d,
        ("2d", False): nn.BatchNorm2d,
        ("2d", True): SyncedBatchNorm2d,
    }
    layer = kinds[kind, synced](6, momentum=None if kind == "2d" else 0.1)
    with torch.no_grad():
        layer.weight.uniform_(0.5, 2)
        layer.bias.normal_()
        layer.running_mean.normal_()
    return layer


def a_batch(kind: str) -> torch.Tensor:
    torch.manual_seed(4)
    shape = (10, 6) if kind == "1d" else (10, 6, 5, 4)
    # A mean far from zero: pooling squares instead of deviations would lose the variance here.
    return 3 * torch.randn(shape) + 30


def a_loss(output: torch.Tensor, start: int) -> torch.Tensor:
    """A sum over images in which every image weighs differently, so that no gradient cancels."""
    weights = torch.arange(start, start + len(output), dtype=torch.float32)
    weights = weights.view(-1, *[1] * (output.dim() - 1))
    return (weights * (output.float() + 0.3).pow(3)).sum() / 100


def one_process(kind: str) -> dict[str, torch.Tensor]:
    layer, batch = a_layer(kind, synced=False), a_batch(kind).requires_grad_()
    for _ in range(2):
        layer.zero_grad()
        batch.grad = None
        output = layer(batch)
        a_loss(output, 0).backward()
    return results(layer, output, batch.grad)


def results(layer, output, gradient):
    return {
        "output": output.detach(),
        "input": gradient,
        "weight": layer.weight.grad,
        "bias": layer.bias.grad,
        **{f"state {name}": value for name, value in layer.state_dict().items()},
    }


CASES = [("1d", [5, 5]), ("2d", [3, 7]), ("1d", [10, 0])]


def work(rank: int, folder: str) -> None:
    """What each of the two processes does, for all tests at once: starting them is what takes time."""
    torch.set_num_threads(1)
    # They meet in a file: no port that somebody else may take, no server that ends with rank 0.
    dist.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=2)
    try:
        for case, (kind, shares) in enumerate(CASES):
            torch.save(one_share(rank, kind, shares), f"{folder}/case-{case}-{rank}.pt")
        # In evaluation mode nobody waits for anybody: only rank 0 calls it.
        if rank == 0:
            a_layer("1d", synced=True).eval()(a_batch("1d"))
        low = a_layer("1d", synced=True)(a_batch("1d").bfloat16().requires_grad_())
        low.sum().backward()
        torch.save(low.detach(), f"{folder}/low-{rank}.pt")
        encoder, batch = an_encoder()
        parallel = nn.parallel.DistributedDataParallel(encoder)
        step(encoder, parallel(batch.chunk(2)[rank]))
        torch.save(encoder.state_dict(), f"{folder}/encoder-{rank}.pt")
        del parallel
        # Whoever is first to leave would close the connection under the other one's last collective.
        dist.barrier()
    finally:
        dist.destroy_process_group()


def one_share(rank: int, kind: str, shares: list[int]) -> dict[str, torch.Tensor]:
    layer = a_layer(kind, synced=True)
    start = sum(shares[:rank])
    part = a_batch(kind)[start : start + shares[rank]].requires_grad_()
    for _ in range(2):
        layer.zero_grad()
        part.grad = None
        output = layer(part)
        a_loss(output, start).backward()
    return results(layer, output, part.grad)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """The folder with what the two processes found."""
    folder = tmp_path_factory.mktemp("processes")
    processes.spawn(work, (str(folder),), nprocs=2)
    return folder


@pytest.mark.parametrize("case", range(len(CASES)), ids=[f"{kind} {shares}" for kind, shares in CASES])
def test_two_processes_equal_one_on_the_whole_batch(case, finished):
    parts = [torch.load(finished / f"case-{case}-{rank}.pt") for rank in range(2)]
    for name, wanted in one_process(CASES[case][0]).items():
        if name in ("output", "input"):
            found = torch.cat([part[name] for part in parts])
        elif name in ("weight", "bias"):
            found = parts[0][name] + parts[1][name]
        else:
            assert torch.equal(parts[0][name], parts[1][name]), name
            found = parts[0][name]
        assert_close(found, wanted, name)


def test_bfloat16_stays_bfloat16_and_float32_inside(finished):
    wanted = a_layer("1d", synced=False)(a_batch("1d").bfloat16().float())
    for rank in range(2):
        low = torch.load(finished / f"low-{rank}.pt")
        assert low.dtype == torch.bfloat16
        torch.testing.assert_close(low.float(), wanted, atol=0.02, rtol=0.02)


def test_an_encoder_under_ddp_makes_the_same_step_as_one_process(finished):
    encoder, batch = an_encoder()
    step(encoder, encoder(batch))
    parts = [torch.load(finished / f"encoder-{rank}.pt") for rank in range(2)]
    for name, wanted in encoder.state_dict().items():
        assert torch.equal(parts[0][name], parts[1][name]), name
        assert_close(parts[0][name], wanted, name)


def assert_close(found: torch.Tensor, wanted: torch.Tensor, name: str) -> None:
    """Equal within 1e-5 of the tensor's largest value."""
    tolerance = 1e-5 * float(wanted.abs().max())
    torch.testing.assert_close(found, wanted, atol=tolerance, rtol=0, msg=lambda text: f"{name}: {text}")


def an_encoder() -> tuple[Encoder, torch.Tensor]:
    torch.manual_seed(0)
    encoder = Encoder(ModelConfig(width=0.25, dimension=8))
    return encoder, torch.rand(16, 1, 28, 28)


def step(encoder: Encoder, embeddings: torch.Tensor) -> None:
    optimizer = torch.optim.SGD(encoder.parameters(), 0.1)
    embeddings[:, :4].pow(3).sum(1).mean().backward()
    optimizer.step()


@pytest.mark.parametrize("kind", ["1d", "2d"])
def test_alone_it_is_plain_batch_norm(kind):
    plain, synced = a_layer(kind, synced=False), a_layer(kind, synced=True)
    batch = a_batch(kind)
    for training in (True, False):
        assert torch.equal(plain.train(training)(batch), synced.train(training)(batch))
    assert plain.state_dict().keys() == synced.state_dict().keys()
    for name, value in plain.state_dict().items():
        assert torch.equal(value, synced.state_dict()[name]), name
    synced.load_state_dict(plain.state_dict())


def test_alone_it_costs_no_more_than_plain_batch_norm():
    batch = torch.rand(256, 64, 14, 14)
    times = {}
    for kind in (nn.BatchNorm2d, SyncedBatchNorm2d):
        layer = kind(64)
        rounds = []
        for _ in range(15):
            start = time.process_time()
            layer(batch).sum().backward()
            rounds.append(time.process_time() - start)
        times[kind] = min(rounds)
    # Wide, because other programs share the processor; a second pass over the batch would double it.
    assert times[SyncedBatchNorm2d] < 1.5 * times[nn.BatchNorm2d]


def test_synchronize_converts_in_place_and_keeps_the_weights():
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 3), nn.BatchNorm1d(3)
    )
    before = copy.deepcopy(model.state_dict())
    assert synchronize(model) is model
    assert [type(layer) for layer in (model[1], model[4])] == [SyncedBatchNorm2d, SyncedBatchNorm1d]
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
