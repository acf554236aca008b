"""Which dead letters and quarantined rows are sent back."""
