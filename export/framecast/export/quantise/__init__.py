"""Eight-bit graphs: calibrated on the planner's own prompts, and judged by the pictures they make."""
