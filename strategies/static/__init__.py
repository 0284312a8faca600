"""The static policy: what is prepared for every slot of the days to come."""
