"""Champion and challengers: sequential tests, alarms, promotion, rollback."""
