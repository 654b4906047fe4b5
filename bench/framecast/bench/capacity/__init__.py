"""How many videos a machine makes, how fast, and how many machines it takes."""
