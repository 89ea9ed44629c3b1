//! Does what a configuration says of client certificates make sense, and whom does it accept?

use std::collections::HashSet;
use std::path::Path;

use carrack_tls::{
    Authorities, ClientTrust, ClientTrustError, ClientTrustSettings, Sha256Fingerprint,
    UnknownRevocation as Unknown, load_revocations,
};

use super::check::Faults;
use super::table::{
    ClientCertificate, Config, Listen, Login, RevokedSessions, Tls, UnknownRevocation, User, UserCertificate,
};
use super::value::beside;
use super::virtual_server::{VirtualServer, client_certificate, server_named};

/// What is wrong with a file: the key that names it, what, and the mend.
pub(crate) type Unusable = (&'static str, String, String);

/// Checks everything about client certificates; whom to accept, where clients are asked for one.
pub(super) fn check(config: &mut Config, base: &Path, faults: &mut Faults) -> Option<ClientTrust> {
    if let Some(tls) = &mut config.tls {
        tls.client_ca = tls.client_ca.as_deref().map(|path| beside(base, path));
        tls.crl = tls.crl.iter().map(|path| beside(base, path)).collect();
    }
    let asked = place_that_asks(config);
    let has_authority = config.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    for (index, user) in config.user.iter().enumerate() {
        for (at, named) in user.certificate.iter().enumerate() {
            one_name(named, &format!("user.{index}.certificate.{at}"), faults);
        }
        let server = server_named(config, user.virtual_server.as_ref());
        let asked = config.listen.iter().any(|listen| asks(listen, server));
        login(user, index, asked, faults);
        if !user.certificate.is_empty() && !has_authority {
            faults.add(
                format!("user.{index}.certificate.0.issuer"),
                "names in certificates count where an authority vouches for them, and tls.client_ca names none",
                "add client_ca = \"ca.pem\" to [tls]",
            );
        }
    }
    pointless(config.tls.as_ref(), asked.is_some(), faults);
    let asked = asked?;
    if !has_authority && config.user.iter().all(|user| user.spki_sha256.is_empty()) {
        faults.add(
            asked,
            "no certificate would be accepted: there is neither tls.client_ca nor any spki_sha256 of a user",
            "name the authority as client_ca in [tls], or the keys as spki_sha256 of the users",
        );
        return None;
    }
    match trust(config) {
        Ok(trust) => Some(trust),
        Err((place, what, mend)) => {
            faults.add(place, what, mend);
            None
        }
    }
}

/// Whether clients of a server are asked for a certificate.
pub(crate) fn asks(listen: &Listen, server: Option<&VirtualServer>) -> bool {
    client_certificate(listen, server) != ClientCertificate::Off
}

/// The first word by which anybody is asked for a certificate.
fn place_that_asks(config: &Config) -> Option<String> {
    let of_listener = config.listen.iter().position(|listen| asks(listen, None));
    let of_listener = of_listener.map(|index| format!("listen.{index}.client_certificate"));
    of_listener.or_else(|| {
        let asked = |server| config.listen.iter().any(|listen| asks(listen, Some(server)));
        let of_server = config.virtual_server.iter().position(asked)?;
        Some(format!("virtual_server.{of_server}.client_certificate"))
    })
}

/// Whom the configuration accepts, from its files as they are now.
pub(crate) fn trust(config: &Config) -> Result<ClientTrust, Unusable> {
    let tls = config.tls.as_ref();
    let mut settings = ClientTrustSettings { keys: keys(config), ..ClientTrustSettings::default() };
    if let Some(path) = tls.and_then(|tls| tls.client_ca.as_ref()) {
        let authorities = Authorities::load(path).map_err(|error| unusable("tls.client_ca", &error))?;
        if let Authorities::These(certificates) = authorities {
            settings.authorities = certificates;
        }
    }
    for path in tls.iter().flat_map(|tls| &tls.crl) {
        settings.revoked.extend(load_revocations(path).map_err(|error| unusable("tls.crl", &error))?);
    }
    settings.unknown = match tls.map(|tls| tls.unknown_revocation) {
        Some(UnknownRevocation::Accept) => Unknown::Accept,
        Some(UnknownRevocation::Refuse) | None => Unknown::Refuse,
    };
    ClientTrust::new(settings).map_err(|error| unusable(key_of(&error), &error))
}

/// The key of the file that is at fault.
fn key_of(error: &ClientTrustError) -> &'static str {
    match error {
        ClientTrustError::Authority { .. } => "tls.client_ca",
        ClientTrustError::Revocations { .. } => "tls.crl",
    }
}

fn keys(config: &Config) -> HashSet<Sha256Fingerprint> {
    config.user.iter().flat_map(|user| &user.spki_sha256).copied().collect()
}

fn unusable(place: &'static str, error: &dyn std::fmt::Display) -> Unusable {
    let text = error.to_string();
    let (what, mend) = text.split_once("; ").unwrap_or((&text, "mend the file, or name another"));
    (place, what.to_owned(), mend.to_owned())
}

fn one_name(named: &UserCertificate, place: &str, faults: &mut Faults) {
    let names = [&named.email, &named.upn, &named.uri, &named.dns, &named.subject];
    if names.into_iter().flatten().count() != 1 {
        faults.add(
            format!("{place}.issuer"),
            "exactly one of email, upn, uri, dns and subject has to stand beside the issuer",
            "name one; write another [[user.certificate]] for each further name",
        );
    }
}

fn login(user: &User, index: usize, asked: bool, faults: &mut Faults) {
    let place = |key: &str| format!("user.{index}.{key}");
    let name = user.name.as_str();
    let has_certificate = !user.spki_sha256.is_empty() || !user.certificate.is_empty();
    match user.login {
        Login::Password if has_certificate => faults.add(
            place("login"),
            format!("{name:?} has certificates, and logs in by password alone"),
            "set login = \"certificate\", \"both\" or \"either\", or take the certificates out",
        ),
        Login::Password => {}
        _ if !has_certificate => faults.add(
            place("login"),
            format!("no certificate is one of {name:?}"),
            "add spki_sha256 = [\"…\"] with what `carrack cert fingerprint` prints for the public key, or a [[user.certificate]]",
        ),
        _ if !asked => faults.add(
            place("login"),
            "no listener asks for certificates",
            "set client_certificate = \"optional\" or \"required\" on a [[listen]]",
        ),
        Login::Certificate if user.password.is_some() => faults.add(
            place("password"),
            format!("{name:?} logs in by certificate alone, so the password would never count"),
            "take it out, or set login = \"both\" or \"either\"",
        ),
        Login::Certificate | Login::Both | Login::Either => {}
    }
}

/// What is said for nobody.
fn pointless(tls: Option<&Tls>, asked: bool, faults: &mut Faults) {
    let Some(tls) = tls else { return };
    if tls.client_ca.is_some() && !asked {
        faults.add(
            "tls.client_ca",
            "no listener asks for certificates",
            "set client_certificate = \"optional\" or \"required\" on a [[listen]], or take it out",
        );
    }
    if !tls.crl.is_empty() && tls.client_ca.is_none() {
        faults.add(
            "tls.crl",
            "lists of revoked certificates count for those of authorities, and client_ca names none",
            "add client_ca = \"ca.pem\", or take it out",
        );
    }
    let without_lists = [
        ("tls.unknown_revocation", tls.unknown_revocation != UnknownRevocation::Refuse),
        ("tls.revoked_sessions", tls.revoked_sessions != RevokedSessions::End),
    ];
    for (place, _) in without_lists.into_iter().filter(|(_, set)| *set && tls.crl.is_empty()) {
        faults.add(
            place,
            "there is no list of revoked certificates to ask",
            "add crl = [\"ca.crl\"], or take it out",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_is_told_of_the_key_that_names_its_file() {
        let why = || "broken".to_owned();
        for (error, key) in [
            (ClientTrustError::Authority { position: 2, why: why() }, "tls.client_ca"),
            (ClientTrustError::Revocations { why: why() }, "tls.crl"),
        ] {
            let (place, what, mend) = unusable(key_of(&error), &error);
            assert_eq!(place, key);
            assert!(what.contains("broken") && !mend.is_empty(), "{what}; {mend}");
        }
    }
}
