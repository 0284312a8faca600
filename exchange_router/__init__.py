"""The command line: the composition root, one thin file a command."""
