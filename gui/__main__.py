"""``python -m gui``."""

from gui.cli import main

if __name__ == "__main__":
    main()
