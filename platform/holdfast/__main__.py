"""`python -m holdfast`, for machines where the console script is not on the path."""

from holdfast.cli import main

main()
