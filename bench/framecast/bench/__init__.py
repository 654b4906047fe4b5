"""Benchmarks of a running server: every figure with its machine, versions, command and raw samples."""
