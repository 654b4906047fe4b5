"""Ops with operands in e4m3, half the bytes of bfloat16: what comes out is not what bfloat16 gives, and is not meant to."""
