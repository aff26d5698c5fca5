"""Makes ``python -m parfocal`` the same as the command ``parfocal``."""

from parfocal.cli import main

if __name__ == "__main__":
    main()
