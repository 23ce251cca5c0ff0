"""All verbs, under the names by which they are called."""

import typer

from holdfast.cli.adopt import adopt
from holdfast.cli.backfill import backfill
from holdfast.cli.bridge import bridge
from holdfast.cli.doctor import doctor
from holdfast.cli.encoders import embed, export
from holdfast.cli.gallery import gallery
from holdfast.cli.jobs import jobs
from holdfast.cli.keys import keys
from holdfast.cli.learn import distill, evaluate, run, tune
from holdfast.cli.plan import plan
from holdfast.cli.search import search
from holdfast.cli.serve import serve
from holdfast.cli.submit import submit
from holdfast.cli.traffic import promote, rollback, traffic
from holdfast.cli.versions import retire, versions

app = typer.Typer(
    name="holdfast",
    help="Train embedding models whose every new version searches the gallery that the old ones filled.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for verb in (
    run, evaluate, adopt, bridge, embed, search, tune, distill, export, versions, retire, promote, rollback,
    traffic, serve, submit, doctor, plan,
):  # fmt: skip
    app.command()(verb)
app.add_typer(gallery, name="gallery")
app.add_typer(backfill, name="backfill")
app.add_typer(jobs, name="jobs")
app.add_typer(keys, name="keys")
