"""The command line, one file a group of verbs. What others call is `holdfast.__main__`."""
