"""The convolution of an enlarged picture, without the enlarged picture; and the kernel that convolves."""
