"""Group normalisation with optional residual add and SiLU, on channels-last activations."""
