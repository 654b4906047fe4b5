"""What is measured on a GPU: kernels, denoise steps, decoding, planning, other runtimes. Needs torch and no server.

``python -m framecast.bench.gpu`` runs from a checkout with nothing installed but torch, triton, numpy and, for the
models, diffusers and transformers (docs/gpu.md).
"""
