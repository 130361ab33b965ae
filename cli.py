"""The command line: `python cli.py --help`. Its commands are in the package `cli`."""

import sys

from cli import main  # a package is found before a file of the same name

if __name__ == "__main__":
    sys.exit(main())
