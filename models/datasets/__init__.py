"""Data sets without their files: columns, profiles, expectations, steps of wrangling."""
