"""The dynamic policy: capacity, holds and routes of the moment, from what is measured."""
