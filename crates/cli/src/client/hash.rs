//! `carrack hash`: hashes of files, as sha256sum prints them.

use carrack_ftp_client::url::Url;
use carrack_ftp_client::{Client, HashAlgorithm, Hasher, RemotePath};
use serde::Serialize;
use tokio::io::AsyncReadExt;

use super::each;
use super::output::{Form, Output};
use super::session::Session;
use crate::arguments::files::{Algorithm, Hash};
use crate::exit::{Failure, failed_read};

/// Bytes that are hashed at a time.
const PIECE: usize = 256 * 1024;

/// A hash for programs.
#[derive(Debug, Serialize)]
struct Json<'h> {
    event: &'static str,
    url: &'h str,
    algorithm: &'static str,
    hash: &'h str,
    /// Who computed it.
    by: &'static str,
}

/// Runs `carrack hash …`.
pub(crate) async fn hash(arguments: Hash, session: &mut Session, output: &Output) -> Result<(), Failure> {
    let urls = each::parse(&arguments.urls)?;
    let algorithm = match arguments.algorithm {
        Algorithm::Sha256 => HashAlgorithm::Sha256,
        Algorithm::Sha512 => HashAlgorithm::Sha512,
        Algorithm::Sha1 => HashAlgorithm::Sha1,
        Algorithm::Md5 => HashAlgorithm::Md5,
        Algorithm::Crc32 => HashAlgorithm::Crc32,
    };
    let outcome = each::each(&urls, session, output, async |url: &Url, session: &mut Session| {
        let client = session.client(url).await?;
        let path = client.resolve(&url.path);
        let (by, hash) = match client.hash(&path, algorithm).await? {
            Some(digest) => ("server", digest.to_string()),
            None if arguments.download => ("client", download(client, &path, algorithm).await?),
            None => return Err(not_offered(url, client, algorithm)),
        };
        match output.form() {
            Form::Json => {
                output.json(&Json {
                    event: "hash",
                    url: &url.to_string(),
                    algorithm: algorithm.name(),
                    hash: &hash,
                    by,
                })?;
            }
            Form::Text => {
                let mut line = format!("{hash}  ").into_bytes();
                line.extend(output.names().write(url.path.as_bytes()));
                output.line(&line)?;
            }
        }
        output.flush()
    })
    .await;
    output.flush()?;
    outcome
}

/// Fetches a file for its hash alone.
async fn download(
    client: &mut Client,
    path: &RemotePath,
    algorithm: HashAlgorithm,
) -> Result<String, Failure> {
    let mut hasher = Hasher::new(algorithm)
        .ok_or_else(|| Failure::usage(format!("{} is not computed here; choose sha256", algorithm.name())))?;
    let mut download = client.retrieve(path, 0).await?;
    let mut piece = vec![0; PIECE];
    loop {
        let length = download.read(&mut piece).await.map_err(failed_read)?;
        match piece.get(..length) {
            Some([]) | None => break,
            Some(bytes) => hasher.update(bytes),
        }
    }
    download.finish().await?;
    Ok(hasher.finish().to_string())
}

/// What the server can do instead.
fn not_offered(url: &Url, client: &Client, algorithm: HashAlgorithm) -> Failure {
    let instead = match client.best_hash() {
        Some(best) => format!(" It can compute {}, with --algorithm {}.", best.name(), flag(best)),
        None => String::new(),
    };
    Failure::failed(format!(
        "{} cannot compute {}; --download fetches the file and computes it here.{instead}",
        url.host_port(),
        algorithm.name()
    ))
}

fn flag(algorithm: HashAlgorithm) -> String {
    algorithm.name().replace('-', "").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn what_is_recommended_is_a_value_of_the_flag() {
        for algorithm in HashAlgorithm::ALL {
            assert!(Algorithm::from_str(&flag(algorithm), false).is_ok(), "{}", flag(algorithm));
        }
    }
}
