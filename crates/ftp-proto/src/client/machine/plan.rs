//! What was asked for, and is not lowered by anything a server says?

use std::fmt;

use zeroize::Zeroizing;

/// How a connection is to be protected, and who logs in.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How the control connection is protected.
    pub security: Security,
    /// How data connections are protected. Without meaning under [`Security::Plaintext`].
    pub data_protection: DataProtection,
    /// Who logs in.
    pub login: Login,
}

/// How the control connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// With `AUTH TLS`, before anything else is said (RFC 4217 §4).
    Explicit,
    /// With TLS before the first byte.
    Implicit,
    /// Not at all.
    Plaintext,
}

/// How data connections are protected beside a protected control connection (RFC 4217 §9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DataProtection {
    /// `PROT P`: under TLS.
    #[default]
    Private,
    /// `PROT C`: in clear. Names in listings and bytes of files are for everybody on the way to read and to change.
    Clear,
}

/// Who logs in. The password is wiped from memory when dropped, and never shown.
#[derive(Clone)]
pub struct Login {
    user: String,
    password: Option<Zeroizing<String>>,
}

/// A user or password holds CR, LF or NUL, or a user has no characters: no command can carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadLogin {
    /// The user.
    User,
    /// The password.
    Password,
}

impl Login {
    /// A user, and the password where there is one to give.
    ///
    /// # Errors
    /// [`BadLogin`].
    pub fn new(user: &str, password: Option<Zeroizing<String>>) -> Result<Login, BadLogin> {
        // SECURITY: CR or LF would end the command and begin another.
        let forbidden = |text: &str| text.contains(['\0', '\r', '\n']);
        if user.is_empty() || forbidden(user) {
            return Err(BadLogin::User);
        }
        if password.as_ref().is_some_and(|password| forbidden(password)) {
            return Err(BadLogin::Password);
        }
        Ok(Login { user: user.to_owned(), password })
    }

    pub(super) fn user(&self) -> &str {
        &self.user
    }

    pub(super) fn password(&self) -> Option<&str> {
        self.password.as_ref().map(|password| password.as_str())
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let password = if self.password.is_some() { "****" } else { "none" };
        write!(f, "Login({:?}, password {password})", self.user)
    }
}

impl fmt::Display for BadLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadLogin::User => "a user's name may not be empty or hold CR, LF or NUL",
            BadLogin::Password => "a password may not hold CR, LF or NUL: FTP has no way to say it",
        })
    }
}

impl std::error::Error for BadLogin {}
