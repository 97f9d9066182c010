"""The people who judge: for now those that are simulated."""
