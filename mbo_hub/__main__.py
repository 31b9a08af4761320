"""`python -m mbo_hub` is the `mbo` command, where that is not on the path."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:  # Python puts the working directory first: nothing there is meant
        sys.path.append(sys.path.pop(0))
    from mbo_hub.cli import main

    main(prog_name="mbo")
