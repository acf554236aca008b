"""The models of the flights demo and of `modstream verify`."""
