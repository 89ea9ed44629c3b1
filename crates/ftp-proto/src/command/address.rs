//! How are PORT, EPRT and EPSV read? (RFC 959 §4.1.2, RFC 2428)

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Command, malformed};
use crate::reply::{Code, Reply};
use crate::server::{Family, PassiveStyle};
use crate::verb::Verb;

/// PORT: `h1,h2,h3,h4,p1,p2`.
pub(super) fn port(argument: &[u8]) -> Result<SocketAddr, Reply> {
    let fields: Option<Vec<u8>> = argument.split(|&byte| byte == b',').take(7).map(number).collect();
    match fields.as_deref() {
        Some(&[h1, h2, h3, h4, p1, p2]) => {
            Ok(SocketAddr::from((Ipv4Addr::new(h1, h2, h3, h4), u16::from_be_bytes([p1, p2]))))
        }
        _ => Err(malformed(Verb::Port)),
    }
}

/// EPRT: `|family|address|port|`, where `|` is any printable byte.
pub(super) fn eprt(argument: &[u8]) -> Result<SocketAddr, Reply> {
    let syntax = || malformed(Verb::Eprt);
    let (&delimiter, fields) =
        argument.split_first().filter(|(byte, _)| byte.is_ascii_graphic()).ok_or_else(syntax)?;
    let mut fields = fields.split(|&byte| byte == delimiter);
    let (Some(family), Some(address), Some(port), Some(b""), None) =
        (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(syntax());
    };
    let ip: IpAddr = match family_of(family).ok_or_else(syntax)?? {
        Family::Ipv4 => parsed::<Ipv4Addr>(address).ok_or_else(syntax)?.into(),
        Family::Ipv6 => parsed::<Ipv6Addr>(address).ok_or_else(syntax)?.into(),
    };
    Ok(SocketAddr::new(ip, number(port).ok_or_else(syntax)?))
}

/// EPSV: nothing, a family, or ALL.
pub(super) fn epsv(argument: &[u8]) -> Result<Command, Reply> {
    match argument {
        b"" => Ok(Command::Passive(PassiveStyle::Epsv(None))),
        all if all.eq_ignore_ascii_case(b"ALL") => Ok(Command::EpsvAll),
        family => {
            let family = family_of(family).ok_or_else(|| malformed(Verb::Epsv))??;
            Ok(Command::Passive(PassiveStyle::Epsv(Some(family))))
        }
    }
}

/// A family by its number: `None` for what is no number, `522` for one that is not known (RFC 2428 §2).
fn family_of(digits: &[u8]) -> Option<Result<Family, Reply>> {
    Some(match number::<u32>(digits)? {
        1 => Ok(Family::Ipv4),
        2 => Ok(Family::Ipv6),
        _ => Err(Reply::new(
            Code::NOT_SUPPORTED_ON_DATA_CONNECTION,
            "Network protocol not supported, use (1,2)",
        )),
    })
}

/// Decimal digits and nothing else: `parse` alone would take a sign.
fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    digits.iter().all(u8::is_ascii_digit).then(|| parsed(digits)).flatten()
}

fn parsed<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
