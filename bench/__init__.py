"""How far off Paceline's own client is, beside a peer in the same run."""
