"""The terminal's door: `python cli.py --help`. It leads into the package beside it."""

import sys

from cli import main  # a package is found before a file of the same name

if __name__ == "__main__":
    sys.exit(main())
