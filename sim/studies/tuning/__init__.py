"""Search over what a brain goes by, by replay, and an honest score of what was found."""
