"""Where the bytes of tasks are: folders, the embedded copy, the Hub and its cache."""
