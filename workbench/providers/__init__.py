"""What every remote API needs: connections, retries, error messages, prices. The APIs themselves are plugins."""
