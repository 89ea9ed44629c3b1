//! Listeners, admission limits and drain. Knows no protocol.
