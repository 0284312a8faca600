"""The server that publishes bundles and takes in telemetry and acknowledgements."""
