"""Convolution by the copy engine: in e4m3 behind a norm, and of an enlarged picture without enlarging it."""
