"""Triton-language kernels for the layers where plain torch moves too many bytes.

One folder an op: `naive` (torch reference), `kernel` (Triton language), `config` (block sizes and what is compiled),
`op` (the torch operator), `plugin` (its TensorRT definition). Importing an `op` registers it; nothing else happens on
import. docs/kernels.md says what each op does and how it is proven.
"""
