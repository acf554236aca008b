"""Who calls the gateway: API keys, tokens of OpenID Connect, and the certificate of TLS."""
