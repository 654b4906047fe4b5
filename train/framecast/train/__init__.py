"""Trains the storybook family: a drawn world, and the planner, VAE, text encoder and UNet that learn it."""
