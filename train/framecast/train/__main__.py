"""`python -m framecast.train`."""

from framecast.train.cli import app

app(prog_name="framecast train")
