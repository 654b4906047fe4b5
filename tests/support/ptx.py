"""What a kernel's assembly says of itself."""

import re


def parameter_count(ptx: str) -> int:
    """Parameters of the one entry of `ptx`."""
    entry = re.search(r"\.visible \.entry \w+\((.*?)\n\)", ptx, re.DOTALL)
    return 0 if entry is None else entry.group(1).count(".param")
