//! Where is the data connection, and which folder is this? The texts of 227, 229 and 257.

use std::net::Ipv4Addr;

/// Reads the text of a 227: six numbers with commas between them, anywhere in it and in whatever brackets or none, because
/// RFC 959 gives no form (RFC 1123 §4.1.2.6).
///
/// The address is for messages: who connects uses the address of the control connection. It is none where the server says
/// `0,0,0,0`. Nothing at all for numbers above 255 and for port 0.
///
/// ```
/// use carrack_ftp_proto::client::pasv_port;
/// let (address, port) = pasv_port(b"Entering Passive Mode (192,0,2,7,195,80).").unwrap();
/// assert_eq!((address.unwrap().to_string().as_str(), port), ("192.0.2.7", 50_000));
/// ```
#[must_use]
pub fn pasv_port(text: &[u8]) -> Option<(Option<Ipv4Addr>, u16)> {
    // SECURITY: an address is returned for people to read. Dialling it would let the server aim the client at third
    // parties, or at what only the client can reach (CVE-2020-8284).
    let runs = text.split(|byte| !matches!(byte, b'0'..=b'9' | b',' | b' '));
    let [h1, h2, h3, h4, p1, p2] = runs.filter_map(six_numbers).next()?;
    let (address, port) = (Ipv4Addr::new(h1, h2, h3, h4), u16::from_be_bytes([p1, p2]));
    (port != 0).then_some((Some(address).filter(|address| !address.is_unspecified()), port))
}

/// Six numbers of a byte with commas, and perhaps spaces, between them; a number may stand apart before or behind.
fn six_numbers(run: &[u8]) -> Option<[u8; 6]> {
    let mut numbers = [0; 6];
    let mut fields = run.split(|&byte| byte == b',');
    for (place, number) in numbers.iter_mut().enumerate() {
        let field = fields.next()?.trim_ascii();
        let mut words = field.split(|&byte| byte == b' ');
        let digits = match place {
            0 => words.next_back()?,
            5 => words.next()?,
            _ => field,
        };
        *number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    }
    fields.next().is_none().then_some(numbers)
}

/// Reads the text of a 229: `(<d><d><d><port><d>)`, where `<d>` is any printable byte but a digit, most often `|`
/// (RFC 2428 §3). The brackets may be missing. Nothing for port 0.
///
/// ```
/// use carrack_ftp_proto::client::epsv_port;
/// assert_eq!(epsv_port(b"Entering Extended Passive Mode (|||50000|)"), Some(50_000));
/// ```
#[must_use]
pub fn epsv_port(text: &[u8]) -> Option<u16> {
    let mut rest = text;
    loop {
        match rest {
            [a, b, c, port @ ..] if a == b && b == c && a.is_ascii_graphic() && !a.is_ascii_digit() => {
                let digits = port.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
                if let Some((digits, [end, ..])) = port.split_at_checked(digits)
                    && end == a
                    && let Some(port) =
                        std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok())
                {
                    return Some(port).filter(|port| *port != 0);
                }
            }
            [] => return None,
            _ => {}
        }
        rest = rest.get(1..)?;
    }
}

/// Reads the text of a 257: the path between two quotes, with every quote in it doubled (RFC 959 appendix II).
///
/// Pure-FTPd and aioftp double nothing, so a quote is the closing one only before a space or where no other follows; any
/// other that stands alone belongs to the path. Nothing without both quotes (CVE-2017-1000254), and nothing for an empty
/// path.
///
/// ```
/// use carrack_ftp_proto::client::pathname;
/// assert_eq!(pathname(br#""/a ""quoted"" folder" is the current directory."#).unwrap(), br#"/a "quoted" folder"#);
/// assert_eq!(pathname(br#""/qu"ote" is your current location"#).unwrap(), br#"/qu"ote"#);
/// ```
#[must_use]
pub fn pathname(text: &[u8]) -> Option<Vec<u8>> {
    let opening = text.iter().position(|&byte| byte == b'"')?;
    let last = text.iter().rposition(|&byte| byte == b'"').filter(|last| *last > opening)?;
    let behind_last = text.len() - last - 1;
    let mut rest = text.get(opening + 1..)?;
    let mut path = Vec::new();
    loop {
        let (byte, behind) = match rest {
            [b'"', b'"', behind @ ..] => (b'"', behind),
            [b'"', behind @ ..] if behind.len() == behind_last || behind.first() == Some(&b' ') => break,
            [byte, behind @ ..] => (*byte, behind),
            [] => return None,
        };
        path.push(byte);
        rest = behind;
    }
    Some(path).filter(|path| !path.is_empty())
}

#[cfg(test)]
mod tests;
