"""The picture-book world: what can be in a scene, how it moves, how it is drawn."""
