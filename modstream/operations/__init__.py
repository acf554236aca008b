"""Operations on a stream's records: traces, backtests, verification, redrive, restore."""
