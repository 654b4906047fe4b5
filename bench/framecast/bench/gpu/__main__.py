"""``python -m framecast.bench.gpu``: the GPU benches with nothing but the standard library around torch."""

import sys

from framecast.bench.gpu.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
