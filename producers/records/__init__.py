"""Generated records: random rows, and bad records with their expected exits."""
