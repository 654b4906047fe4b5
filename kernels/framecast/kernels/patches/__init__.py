"""What `framecast.kernels.patch` does to each kind of diffusers module."""
