//! The transfer domain: accounts, policy, sessions, uploads, events. Knows no protocol and no back end.
