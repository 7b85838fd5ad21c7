"""The network, its training, and the fused form in which it runs."""
