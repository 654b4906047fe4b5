"""GEGLU's split, exact GELU and product in one pass."""
