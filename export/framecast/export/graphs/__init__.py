"""The graphs that are exported: each wraps a model of the bundle so that one run is one whole stage."""
