"""Training of a challenger from labelled rows: data set, search, comparison, export."""
