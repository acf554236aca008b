"""The inference log as Parquet files: export, query, erasure and expiry."""
