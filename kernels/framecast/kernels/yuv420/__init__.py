"""Decoded frames to the YUV 4:2:0 planes a video encoder takes."""
