"""Classifier-free guidance and a linear sampler's update in one launch."""
