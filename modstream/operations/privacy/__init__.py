"""Personal data: where it is, and that it is nowhere any more."""
