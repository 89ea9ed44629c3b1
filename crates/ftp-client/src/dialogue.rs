//! Who listens to the dialogue with the server?

/// Told every line that passes on a control connection, for `-v` and for logs. Called in the middle of the work: it must
/// not block for long.
pub trait Dialogue: Send + Sync {
    /// A command as it was sent, without its line end; of PASS only `PASS ****`. Never holds control characters.
    fn sent(&self, line: &str);

    /// A line of a reply, without its line end. Never holds control characters.
    fn received(&self, line: &str);

    /// What TLS did: versions, cipher suites, resumption, and why another way was taken.
    fn tls(&self, text: &str);
}
