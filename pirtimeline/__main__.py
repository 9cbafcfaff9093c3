"""The command line as `python -m pirtimeline`."""

from pirtimeline.cli import main

if __name__ == "__main__":
    main()
