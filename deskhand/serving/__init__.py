"""What the services that speak HTTP have in common: bodies within bounds, slow senders, refusals as problem details."""
