"""Ops with operands in e4m3, half the bytes of bfloat16. What comes out is not what bfloat16 gives."""
