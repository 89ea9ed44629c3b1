//! How does everything that is no result come to standard error, without one part tearing another apart?

use std::io::Write;

use carrack_ftp_client::escaped;
use indicatif::{MultiProgress, ProgressDrawTarget};

/// Standard error, shared by notes, the dialogue with the server and progress.
#[derive(Debug)]
pub(crate) struct Screen {
    bars: MultiProgress,
}

impl Screen {
    /// Without progress, until [`Screen::show_bars`].
    pub(crate) fn new() -> Screen {
        Screen { bars: MultiProgress::with_draw_target(ProgressDrawTarget::hidden()) }
    }

    /// Lets the bars be seen.
    pub(crate) fn show_bars(&self) {
        self.bars.set_draw_target(ProgressDrawTarget::stderr());
    }

    /// Where bars are put.
    pub(crate) fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// Writes lines above the bars.
    pub(crate) fn line(&self, text: &str) {
        self.bars.suspend(|| line(text));
    }
}

/// Writes lines to standard error. A reader that has gone away takes nothing with it.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", harmless(text));
}

/// SECURITY: the one way of texts to the terminal. Whatever a server, a file name or a certificate puts into them, it cannot
/// move the cursor, colour or answer anything; only line ends, which are ours, pass.
pub(crate) fn harmless(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| escaped(line.as_bytes()).to_string()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_drives_the_terminal() {
        assert_eq!(harmless("a\n  \u{1b}]0;x\u{7}é\r"), "a\n  \\u{1b}]0;x\\u{7}é\\u{d}");
    }
}
