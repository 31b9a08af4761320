"""`python -m mbo_hub` is the `mbo` command, where that is not on the path."""

from mbo_hub.cli import main

if __name__ == "__main__":
    main(prog_name="mbo")
