//! `carrack trust remove`: the key of a server is forgotten.

use carrack_ftp_client::known::KnownServers;
use carrack_ftp_client::url::{HostPort, Url, host_port};

use crate::arguments::trust::TrustRemove;
use crate::client::output::Output;
use crate::exit::{Failure, Status};
use crate::state::State;

/// Runs `carrack trust remove …`.
pub(crate) fn remove(arguments: TrustRemove, output: &Output) -> Result<(), Failure> {
    let state = State::new(arguments.state.folder.as_deref());
    let mut servers = state.known_servers()?;
    let (host, port) = meant(&arguments.server, &servers)?;
    // Where there is no file there is no folder to lock it in either.
    if servers.find(&host, port).is_none() {
        return Err(unknown(&host_port(&host, port)));
    }
    servers.forget(&host, port).map_err(Failure::failed)?;
    output.note(&format!("the key of {} is forgotten", host_port(&host, port)));
    Ok(())
}

/// The server that is meant: with its port, or the only one of that name.
fn meant(text: &str, servers: &KnownServers) -> Result<(String, u16), Failure> {
    if Url::looks_like_url(text) {
        let url = Url::parse(text).map_err(Failure::usage)?;
        return Ok((url.host, url.port));
    }
    let HostPort { host, port } = text.parse().map_err(Failure::usage)?;
    if let Some(port) = port {
        return Ok((host, port));
    }
    let ports: Vec<u16> = servers.iter().filter(|known| known.host == host).map(|known| known.port).collect();
    match ports.as_slice() {
        [] => Err(unknown(&host)),
        [port] => Ok((host, *port)),
        several => {
            let all: Vec<String> = several.iter().map(|port| host_port(&host, *port)).collect();
            Err(Failure::usage(format!(
                "{host} is remembered at several ports; name one: {}",
                all.join(", ")
            )))
        }
    }
}

fn unknown(server: &str) -> Failure {
    Failure::new(
        Status::Missing,
        format!("no key is remembered for {server}; `trust list` shows the servers that are known"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use carrack_ftp_client::known::Known;
    use carrack_tls::Sha256Fingerprint;

    #[test]
    fn a_server_is_named_with_its_port_or_is_the_only_one() {
        let dir = tempfile::tempdir().unwrap();
        let mut servers = KnownServers::open(&dir.path().join("known_servers")).unwrap();
        for (host, port) in [("one", 2121), ("two", 21), ("two", 990)] {
            let key = Sha256Fingerprint::of(b"key");
            let known = Known {
                host: host.to_owned(),
                port,
                key,
                certificate: None,
                subject: None,
                first_met_unix_s: 0,
                renewed_unix_s: None,
            };
            servers.remember(known).unwrap();
        }
        let meant = |text: &str| meant(text, &servers).map_err(|failure| failure.status());
        assert_eq!(meant("ONE"), Ok(("one".to_owned(), 2121)));
        assert_eq!(meant("two:990"), Ok(("two".to_owned(), 990)));
        assert_eq!(meant("ftps://alice@two/x"), Ok(("two".to_owned(), 990)));
        assert_eq!(meant("two"), Err(Status::Usage));
        assert_eq!(meant("three"), Err(Status::Missing));
    }
}
