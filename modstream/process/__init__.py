"""Operating-system processes: supervision, signals, health files, watchdog."""
