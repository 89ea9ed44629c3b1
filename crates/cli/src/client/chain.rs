//! What does a server show in a handshake, trusted or not?

use std::sync::Arc;

use carrack_ftp_client::url::{HostPort, Scheme, Url, UrlPath};
use carrack_ftp_client::{Client, Settings};
use carrack_tls::{Authorities, Seen, TlsPolicy, Trust};

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

/// What it shows; at least one certificate. Nothing but the handshake takes place.
pub(crate) async fn of(
    url: &Url,
    reach: &Reach,
    telling: &Telling,
    screen: &Arc<Screen>,
) -> Result<Seen, Failure> {
    if url.scheme == Scheme::Ftp {
        return Err(Failure::usage(format!(
            "ftp:// has no certificate; write ftpes://{0} or ftps://{0}",
            url.host_port()
        )));
    }
    let settings = Settings {
        dialogue: Shown::listener(telling.verbose, screen),
        ..session::settings(
            url,
            Trust::Authorities(Authorities::Platform),
            None,
            &TlsPolicy::default(),
            reach,
        )?
    };
    let seen = Client::look(&Arc::new(settings)).await?;
    match seen.chain.is_empty() {
        false => Ok(seen),
        true => Err(Failure::new(
            Status::Untrusted,
            format!("the certificate of {} cannot be read", url.host_port()),
        )),
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
