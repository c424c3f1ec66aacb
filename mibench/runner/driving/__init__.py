"""Jobs of a plan among workers: who does what, who holds what, what was lost."""
