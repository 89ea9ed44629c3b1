//! Who are we to an ACME server (RFC 8555 §7.3)? One account for each server, made once.

use std::sync::Arc;

use instant_acme::{Account, AccountCredentials, ExternalAccountKey, NewAccount};
use zeroize::Zeroizing;

use super::error::AcmeError;
use super::web::Web;
use crate::config::Acme;
use crate::state::{AcmeFolder, StateError};

/// The account that was kept, or a new one, which is kept before it is used.
pub(super) async fn open(acme: &Acme, folder: &Arc<AcmeFolder>, web: Web) -> Result<Account, AcmeError> {
    let directory = acme.directory.as_str();
    let builder = Account::builder_with_http(Box::new(web));
    let kept = Arc::clone(folder);
    let name = directory.to_owned();
    let kept = blocking(move || kept.account(&name)).await?;
    if let Some(bytes) = kept {
        let damaged = |error: serde_json::Error| StateError::Acme {
            file: folder.account_file(directory).display().to_string(),
            // SECURITY: not what serde says, which may repeat a part of the key.
            why: format!("it is no account ({:?} at line {})", error.classify(), error.line()),
        };
        let credentials: AccountCredentials = serde_json::from_slice(&bytes).map_err(damaged)?;
        return builder
            .from_credentials(credentials)
            .await
            .map_err(AcmeError::asking(directory, "for its directory"));
    }
    let contact: Vec<_> = acme.contact.iter().map(|address| format!("mailto:{}", address.as_str())).collect();
    let contact: Vec<_> = contact.iter().map(String::as_str).collect();
    let new = NewAccount {
        contact: &contact,
        terms_of_service_agreed: acme.terms_agreed,
        only_return_existing: false,
    };
    let external = match (&acme.eab_kid, acme.eab_key()) {
        (Some(kid), Some(key)) => {
            let key = key.map_err(AcmeError::NotMade)?;
            Some(ExternalAccountKey::new(kid.as_str().to_owned(), &key))
        }
        _ => None,
    };
    let (account, credentials) = builder
        .create(&new, directory.to_owned(), external.as_ref())
        .await
        .map_err(AcmeError::asking(directory, "for an account"))?;
    let bytes = serde_json::to_vec(&credentials).map_err(|error| AcmeError::NotMade(error.to_string()))?;
    let (bytes, folder, name) = (Zeroizing::new(bytes), Arc::clone(folder), directory.to_owned());
    blocking(move || folder.keep_account(&name, &bytes)).await?;
    tracing::info!(target: "carrack", directory, account = account.id(), "acme_account_made");
    Ok(account)
}

/// Work with files, on a thread that may wait for them.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StateError> + Send + 'static,
) -> Result<T, AcmeError> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|error| AcmeError::NotMade(error.to_string()))??)
}
