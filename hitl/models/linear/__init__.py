"""Hashed n-grams, their weights and the linear model that reads them: the parts of `TextLinear`."""
