"""The Stigmergic Coordinator: a supply network that coordinates itself through a shared stream of signals."""
