"""The join of late labels with the predictions they belong to."""
