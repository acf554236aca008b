"""Batch views of the exported inference log, merged with the records that came since."""
