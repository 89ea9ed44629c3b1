//! `carrack trust add`: the key of a server is remembered.

use carrack_ftp_client::known::Known;
use carrack_ftp_client::url::Url;

use super::{met, now_unix_s, question};
use crate::arguments::trust::TrustAdd;
use crate::cert;
use crate::client::chain;
use crate::client::output::Output;
use crate::exit::{Failure, Status};
use crate::state::State;
use crate::terminal;

/// Runs `carrack trust add …`.
pub(crate) async fn add(arguments: TrustAdd, output: &Output) -> Result<(), Failure> {
    let url = chain::server(&arguments.server)?;
    let state = State::new(arguments.state.folder.as_deref());
    let server = match (arguments.key, &arguments.certificate) {
        (Some(key), _) => Known {
            host: url.host.clone(),
            port: url.port,
            key,
            certificate: None,
            subject: None,
            first_met_unix_s: now_unix_s(),
            renewed_unix_s: None,
        },
        (None, Some(file)) => {
            let chain = cert::read(file)?;
            let certificate = chain.first().ok_or_else(|| Failure::failed("there is no certificate"))?;
            met(&url.host, url.port, certificate)
        }
        (None, None) => shown_by_server(&arguments, &url, output).await?,
    };
    state.make()?;
    let (server_name, key) = (url.host_port(), server.key);
    state.known_servers()?.remember(server).map_err(Failure::failed)?;
    output.note(&format!("the key of {server_name} is remembered: SHA-256 {key}"));
    Ok(())
}

/// Asks the server, and then the user.
async fn shown_by_server(arguments: &TrustAdd, url: &Url, output: &Output) -> Result<Known, Failure> {
    let seen = chain::of(url, &arguments.reach, &arguments.telling, output.screen()).await?;
    let certificate = seen.chain.first().ok_or_else(|| Failure::failed("there is no certificate"))?;
    let server = url.host_port();
    if arguments.yes {
        output.note(&format!("{server} shows this certificate\n\n{}", question::shown(certificate)));
        return Ok(met(&url.host, url.port, certificate));
    }
    let text = format!(
        "{server} shows this certificate:\n\n{}\nCompare a fingerprint with the one that the server's administrator has.\nRemember its key? [y]es / [N]o: ",
        question::shown(certificate)
    );
    match terminal::ask(text).await {
        Some(answer) => {
            let answer =
                answer.map_err(|error| Failure::failed(format!("the answer cannot be read: {error}")))?;
            match answer.to_ascii_lowercase().as_str() {
                "y" | "yes" => Ok(met(&url.host, url.port, certificate)),
                _ => Err(Failure::new(Status::Untrusted, format!("the key of {server} is not remembered"))),
            }
        }
        None => Err(Failure::new(
            Status::Untrusted,
            format!(
                "{server} shows this certificate\n\n{}\n  mend: there is no terminal to ask on; compare a fingerprint with the one that the server's administrator has, and give it with --key SHA256, or accept what the server shows with --yes",
                question::shown(certificate)
            ),
        )),
    }
}
