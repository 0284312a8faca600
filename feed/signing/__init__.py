"""Signatures: domestic and international keys behind one protocol, envelopes, trust and its rotation."""
