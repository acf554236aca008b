"""What is done with data sets: ingest, explore, validate, split, wrangle."""
