//! Which certificates does a server show, trusted or not?

use std::sync::Arc;

use carrack_ftp_client::url::{HostPort, Scheme, Url, UrlPath};
use carrack_ftp_client::{Client, ErrorKind, Settings};
use carrack_tls::{CertificateDescription, Sha256Fingerprint, Trust};

use super::dialogue::Shown;
use super::screen::Screen;
use super::session;
use crate::arguments::connection::{Reach, Telling};
use crate::exit::{Failure, Status};

/// A server as a URL or as `HOST[:PORT]`: port 990 is implicit TLS, every other one explicit.
pub(crate) fn server(text: &str) -> Result<Url, Failure> {
    if Url::looks_like_url(text) {
        return Url::parse(text).map_err(Failure::usage);
    }
    let HostPort { host, port } = text.parse().map_err(Failure::usage)?;
    let scheme = if port == Some(Scheme::Ftps.port()) { Scheme::Ftps } else { Scheme::Ftpes };
    let port = port.unwrap_or(scheme.port());
    Ok(Url { scheme, user: None, password: None, host, port, path: UrlPath::default() })
}

/// The chain, the server's own certificate first; at least one. Nothing but the handshake takes place.
pub(crate) async fn of(
    url: &Url,
    reach: &Reach,
    telling: &Telling,
    screen: &Arc<Screen>,
) -> Result<Vec<CertificateDescription>, Failure> {
    if url.scheme == Scheme::Ftp {
        return Err(Failure::usage(format!(
            "ftp:// has no certificate; write ftpes://{0} or ftps://{0}",
            url.host_port()
        )));
    }
    // No certificate has this fingerprint, so every one is refused in the middle of the handshake, and shown in the refusal.
    let nothing = Trust::Pinned(Sha256Fingerprint::of(b""));
    let settings = Settings {
        dialogue: Shown::listener(telling.verbose, screen),
        ..session::settings(url, nothing, None, reach)?
    };
    match Client::connect(Arc::new(settings)).await {
        Ok(_) => Err(Failure::failed(format!("{} has shown no certificate", url.host_port()))),
        Err(error) if matches!(error.kind(), ErrorKind::Untrusted(_)) => match error.into_kind() {
            ErrorKind::Untrusted(untrusted) if !untrusted.chain.is_empty() => Ok(untrusted.chain),
            _ => Err(Failure::new(
                Status::Untrusted,
                format!("the certificate of {} cannot be read", url.host_port()),
            )),
        },
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_named_in_every_form() {
        for (text, origin) in [
            ("h", "ftpes://h:21"),
            ("H:2121", "ftpes://h:2121"),
            ("h:990", "ftps://h:990"),
            ("[2001:db8::1]:21", "ftpes://[2001:db8::1]:21"),
            ("ftps://alice@h:2990/x", "ftps://h:2990"),
            ("ftpes://h:990", "ftpes://h:990"),
        ] {
            assert_eq!(server(text).unwrap().origin(), origin, "{text}");
        }
        assert_eq!(server("2001:db8::1").unwrap_err().status(), Status::Usage);
    }
}
