"""What the machine did while something was measured."""
