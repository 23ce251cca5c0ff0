import json
import os

import torch

from holdfast.evaluation import describe_machine


def test_the_machine_is_described_in_plain_values():
    machine = describe_machine()
    assert json.loads(json.dumps(machine)) == machine
    assert machine["processor"]
    assert machine["cores"] == len(os.sched_getaffinity(0))
    assert machine["memory_gib"] > 0.5
    assert machine["torch"] == torch.__version__
    assert machine["threads"] == torch.get_num_threads()
