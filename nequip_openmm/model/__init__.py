"""The NequIP model: one file per concept, from settings to derivatives and the model file."""
