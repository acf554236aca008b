"""Operations on a stream's records: audit trails, backtests, verification, redrive, restore."""
