"""Attention over frames on [batch · frames, pixels, channels], with no transpose."""
