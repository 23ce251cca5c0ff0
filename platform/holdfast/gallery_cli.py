"""`holdfast gallery ...`: what is in the shared gallery, in and out of Parquet."""

import typer

gallery = typer.Typer(help="The shared gallery: import, export, stats, verify.", no_args_is_help=True)
