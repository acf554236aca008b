"""What another version would have answered, held against what was answered and what was true."""
