//! Configuration, wiring, running and telemetry: the only crate that knows all servers.
