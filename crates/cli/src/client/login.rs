//! Who logs in, and with which password?

use carrack_ftp_client::Login;
use carrack_ftp_client::url::Url;
use zeroize::Zeroizing;

use super::output::Output;
use crate::arguments::connection;
use crate::exit::{Failure, Status};
use crate::netrc::Netrc;
use crate::password::{self, VARIABLE};
use crate::terminal;

/// The name that needs no account (RFC 1635), and its other spelling.
const ANONYMOUS: [&str; 2] = ["anonymous", "ftp"];

/// What anonymous users give in place of a password: RFC 1635 asks for a mail address, and this says nothing about anybody.
const ANONYMOUS_PASSWORD: &str = "anonymous@";

/// Who logs in, and how it came to that.
#[derive(Debug)]
pub(crate) struct Who {
    /// For the connection. Without a password where it would have to be asked for: a server that wants none is then not
    /// the reason for a question, and one that is not to be trusted is found out before it.
    pub(crate) login: Login,
    /// Whether nobody named a user.
    pub(crate) is_nobody: bool,
}

/// Settles the user, and the password as far as it is known without asking.
pub(crate) fn settle(url: &Url, flags: &connection::Login, output: &Output) -> Result<Who, Failure> {
    if url.password.is_some() {
        return Err(Failure::usage(format!(
            "the URL {url} was given with a password, which everybody on this machine can read there; leave it out, and give it with --password-file FILE, {VARIABLE}, ~/.netrc or at the prompt"
        )));
    }
    let file = flags.password_file.as_deref();
    let file = file.map(|file| password::from_file(file).map(|(password, _)| password)).transpose()?;
    let given = |user: &str| match &file {
        Some(password) => Ok(Some(password.clone())),
        // SECURITY: a password that stands in the environment for another server is not sent as a mail address.
        None if ANONYMOUS.contains(&user) => Ok(None),
        None => password::from_environment(),
    };
    if let Some(user) = &url.user
        && let Some(password) = given(user)?
    {
        return Ok(Who { login: Login { user: user.clone(), password: Some(password) }, is_nobody: false });
    }
    let netrc = Netrc::load()?;
    let found = netrc.find(&url.host, url.user.as_deref());
    let Some(user) = url.user.as_deref().or(found.as_ref().map(|found| found.user)) else {
        if file.is_some() {
            return Err(Failure::usage(format!(
                "--password-file has a password, but nobody is named whose it is; write {}://USER@{}",
                url.scheme.word(),
                url.host_port()
            )));
        }
        return Ok(Who { login: nobody(), is_nobody: true });
    };
    let in_netrc = found.as_ref().and_then(|found| found.password);
    let password = match (given(user)?, in_netrc) {
        (None, Some(password)) => {
            netrc.warning().iter().for_each(|warning| output.note(&format!("warning: {warning}")));
            Some(password.clone())
        }
        (None, None) if ANONYMOUS.contains(&user) => Some(Zeroizing::new(ANONYMOUS_PASSWORD.to_owned())),
        (given, _) => given,
    };
    Ok(Who { login: Login { user: user.to_owned(), password }, is_nobody: false })
}

/// The login without an account.
pub(crate) fn nobody() -> Login {
    let password = Some(Zeroizing::new(ANONYMOUS_PASSWORD.to_owned()));
    Login { user: ANONYMOUS[0].to_owned(), password }
}

/// Asks for the password that the server wants.
pub(crate) fn ask(url: &Url, user: &str) -> Result<Zeroizing<String>, Failure> {
    terminal::ask_password(&format!("Password of {user} at {}: ", url.host_port())).unwrap_or_else(|| {
        Err(Failure::new(
            Status::Login,
            format!(
                "{} asks for the password of {user}, and there is no terminal to ask on; give it with --password-file FILE, {VARIABLE} or ~/.netrc",
                url.host_port()
            ),
        ))
    })
}
