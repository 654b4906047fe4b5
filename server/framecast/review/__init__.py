"""Content review: what is asked for, and what the planner makes of it, is read before it is filmed."""
