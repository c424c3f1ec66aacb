"""Methods that hand in circuit scores, one file each."""
