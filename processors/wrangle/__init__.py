"""Wrangling steps that look at one row at a time, on columns and on the rows of a stream."""
