"""The models of the demo and of `modstream verify`."""
