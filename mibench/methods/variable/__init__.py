"""Methods that hand in featurizers, one file each."""
