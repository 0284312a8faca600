"""The brain at the live centre: observations in, commands out, recorded, and turned into bundles."""
