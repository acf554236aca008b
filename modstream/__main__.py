"""`python -m modstream`: how supervised processes are started."""

from modstream.cli import main

if __name__ == "__main__":
    main()
