"""Ours beside others, on the same bundle, prompts, seeds, steps and machine."""
