//! X.509 and TLS: identities, trust, the binding of data to control connections, the record path.
