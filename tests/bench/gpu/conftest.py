"""Triton 3.9 has wheels for Python 3.11 and newer; on 3.10 there are no kernels to measure."""

import sys

collect_ignore_glob = ["*"] if sys.version_info < (3, 11) else []
