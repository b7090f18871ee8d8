"""The fast engine: NequIP in generated C, for evaluation and training on CPUs."""
