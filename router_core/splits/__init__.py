"""How much of each pair's demand takes which of its paths, with a certificate."""
