"""Gates of CI: figures that hold on noisy machines, each against what is on record; and the nightly's page of them."""
