"""Methods × tasks × seeds: runs, their records, and what may be said about them."""
