//! What is a user shown of a certificate that nobody vouches for, and what can be answered?

use carrack_ftp_client::url::Url;
use carrack_tls::{CertificateDescription, Distrust};

use crate::cert;
use crate::exit::Failure;
use crate::terminal;

/// What the user says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// This certificate, in this run.
    Once,
    /// This key, from now on.
    Always,
    /// Neither.
    No,
}

/// Asks; `None` where there is no terminal.
pub(crate) async fn ask(
    url: &Url,
    why: &Distrust,
    certificate: &CertificateDescription,
) -> Result<Option<Choice>, Failure> {
    let text = format!(
        "The certificate of {} is not trusted: {why}.\n\n{}\nCompare a fingerprint with the one that the server's administrator has.\nTrust it? [o]nce / [a]lways / [N]o: ",
        url.host_port(),
        shown(certificate)
    );
    match terminal::ask(text).await {
        Some(answer) => {
            let answer =
                answer.map_err(|error| Failure::failed(format!("the answer cannot be read: {error}")))?;
            Ok(Some(choice(&answer)))
        }
        None => Ok(None),
    }
}

/// SECURITY: only the words that were offered mean yes; whatever else was typed was not meant as one.
fn choice(answer: &str) -> Choice {
    match answer.to_ascii_lowercase().as_str() {
        "o" | "once" => Choice::Once,
        "a" | "always" => Choice::Always,
        _ => Choice::No,
    }
}

/// The certificate, indented beneath a sentence.
pub(crate) fn shown(certificate: &CertificateDescription) -> String {
    cert::described(certificate).lines().map(|line| format!("  {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_offered_means_yes() {
        for (answer, meant) in [
            ("o", Choice::Once),
            ("ONCE", Choice::Once),
            ("a", Choice::Always),
            ("Always", Choice::Always),
            ("n", Choice::No),
            ("", Choice::No),
            ("y", Choice::No),
            ("yes", Choice::No),
            ("on", Choice::No),
        ] {
            assert_eq!(choice(answer), meant, "{answer}");
        }
    }
}
