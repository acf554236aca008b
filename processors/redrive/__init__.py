"""Selection of the dead letters and quarantined rows to send back."""
