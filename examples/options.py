"""What every example can be told on its command line."""

import argparse
import os
from pathlib import Path


def parse(description: str, name: str) -> argparse.ArgumentParser:
    """A parser with the server's address, the output folder, and the cost of a video."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--address", default=os.environ.get("FRAMECAST_ADDRESS", "127.0.0.1:50051"))
    parser.add_argument("--output", type=Path, default=Path("out/examples") / name, help="folder for what is made")
    parser.add_argument("--seed", type=int, default=7, help="same seed, same video")
    parser.add_argument("--steps", type=int, default=0, help="denoising steps; 0 is the server's default")
    return parser
