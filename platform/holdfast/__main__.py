"""`python -m holdfast`, for machines where the console script is not on the path; and that script's entry."""

import sys

from holdfast.cli import INTERRUPTED, failure_of


def main() -> None:
    """Before the command line can answer it loads for a second, in which somebody may press Ctrl-C."""
    try:
        from holdfast.cli import main as run
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        failure = failure_of(error, sys.argv[1:])
        sys.stderr.write(f"error: {failure.message}\n")
        sys.exit(failure.exit_code)
    run()


if __name__ == "__main__":
    main()
