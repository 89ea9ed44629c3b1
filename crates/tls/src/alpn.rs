//! Which application protocol is agreed (RFC 7301), so that no client of another protocol is answered (ALPACA).

/// On control connections.
pub(crate) const CONTROL: &[&str] = &["ftp"];
/// On data connections; `ftp` for clients that know no second name.
pub(crate) const DATA: &[&str] = &["ftp-data", "ftp"];
/// Towards web servers.
pub(crate) const WEB: &[&str] = &["http/1.1"];
/// Where a certificate authority validates a name (RFC 8737 §4).
pub(crate) const CHALLENGE: &[&str] = &["acme-tls/1"];

/// Names of other protocols, from IANA's registry and from use. A client that offers these and nothing else has come
/// to the wrong server, perhaps led there.
const FOREIGN: &[&[u8]] = &[
    b"acme-tls/1",
    b"c-webrtc",
    b"co",
    b"coap",
    b"dicom",
    b"doq",
    b"dot",
    b"h2",
    b"h2c",
    b"h3",
    b"http/0.9",
    b"http/1.0",
    b"http/1.1",
    b"imap",
    b"irc",
    b"managesieve",
    b"mqtt",
    b"nnsp",
    b"nntp",
    b"ntske/1",
    b"pop3",
    b"postgresql",
    b"radius/1.0",
    b"radius/1.1",
    b"sip/2",
    b"smb",
    b"smtp",
    b"spdy/1",
    b"spdy/2",
    b"spdy/3",
    b"spdy/3.1",
    b"stun.nat-discovery",
    b"stun.turn",
    b"sunrpc",
    b"tds/8.0",
    b"webrtc",
    b"xmpp-client",
    b"xmpp-server",
];

/// The names rustls is to be configured with for a client that offered `offered`.
///
/// With `ours` rustls answers the first that was offered, and refuses with `no_application_protocol` where none was;
/// with no names it leaves the extension unanswered, which suits clients with private names (`x-filezilla-ftp`).
pub(crate) fn answer<'a>(ours: &[&str], offered: Option<impl Iterator<Item = &'a [u8]>>) -> Vec<Vec<u8>> {
    let Some(offered) = offered else { return Vec::new() };
    let mut any = false;
    let mut all_foreign = true;
    let mut any_ours = false;
    for name in offered {
        any = true;
        any_ours |= ours.iter().any(|own| own.as_bytes() == name);
        all_foreign &= FOREIGN.contains(&name);
    }
    // SECURITY: a client of only foreign protocols is sent away before it can speak (ALPACA, CVE-2021-3618).
    if any_ours || (any && all_foreign) { offer(ours) } else { Vec::new() }
}

/// The names that a client offers.
pub(crate) fn offer(ours: &[&str]) -> Vec<Vec<u8>> {
    ours.iter().map(|name| name.as_bytes().to_vec()).collect()
}

/// The agreed name as it stands in our tables.
pub(crate) fn agreed(name: Option<&[u8]>) -> Option<&'static str> {
    let name = name?;
    CONTROL.iter().chain(DATA).find(|own| own.as_bytes() == name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(ours: &[&str], offered: &[&str]) -> Vec<String> {
        answer(ours, Some(offered.iter().map(|name| name.as_bytes())))
            .into_iter()
            .map(|name| String::from_utf8(name).unwrap())
            .collect()
    }

    #[test]
    fn ftp_is_answered_foreign_refused_and_unknown_left_open() {
        assert!(answer(CONTROL, None::<std::iter::Empty<&[u8]>>).is_empty());
        assert_eq!(answered(CONTROL, &["h2", "ftp"]), ["ftp"]);
        assert_eq!(answered(CONTROL, &["h2", "http/1.1"]), ["ftp"], "rustls refuses these");
        assert!(answered(CONTROL, &["x-filezilla-ftp"]).is_empty());
        assert!(answered(CONTROL, &["h2", "x-filezilla-ftp"]).is_empty());
        assert!(answered(CONTROL, &["ftp-data"]).is_empty());
        assert_eq!(answered(DATA, &["ftp"]), ["ftp-data", "ftp"]);
        assert_eq!(agreed(Some(b"ftp-data")), Some("ftp-data"));
        assert_eq!(agreed(Some(b"h2")), None);
    }
}
