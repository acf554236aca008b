"""The catalogue of data sets: immutable versions of Parquet files, each described by Croissant."""
