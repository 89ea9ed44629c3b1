//! What does `-v` show of the dialogue with a server?

use std::sync::Arc;

use carrack_ftp_client::Dialogue;

use super::screen::Screen;

/// The dialogue on standard error.
#[derive(Debug)]
pub(crate) struct Shown {
    screen: Arc<Screen>,
    tls: Tls,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tls {
    Shown,
    Hidden,
}

impl Shown {
    /// For so many `-v`: commands and replies from one on, TLS from two on.
    pub(crate) fn listener(verbose: u8, screen: &Arc<Screen>) -> Option<Arc<dyn Dialogue>> {
        let tls = if verbose > 1 { Tls::Shown } else { Tls::Hidden };
        (verbose > 0).then(|| Arc::new(Shown { screen: Arc::clone(screen), tls }) as Arc<dyn Dialogue>)
    }
}

impl Dialogue for Shown {
    fn sent(&self, line: &str) {
        self.screen.line(&format!("> {line}"));
    }

    fn received(&self, line: &str) {
        self.screen.line(&format!("< {line}"));
    }

    fn tls(&self, text: &str) {
        if self.tls == Tls::Shown {
            self.screen.line(&format!("* {text}"));
        }
    }
}
