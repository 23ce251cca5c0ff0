"""How much the command line imports before it knows what is asked."""

import subprocess
import sys


def test_no_verb_waits_for_what_it_does_not_need():
    program = "import sys, holdfast.cli; print({'torch', 'ray', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout.strip() == "set()"
