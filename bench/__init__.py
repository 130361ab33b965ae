"""How far off Paceline's own client is, beside its peers in the same run."""
