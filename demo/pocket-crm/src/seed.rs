//! Leads from a CSV file, created through the API: what a colleague with `curl` would do, without `curl`.

use std::{fs, io, path::PathBuf};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, StatusCode, Uri,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
    header,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::{auth::Credential, csv};

/// What seeding did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seeded {
    /// Leads that are new.
    pub created: usize,
    /// Leads whose address was there already: seeding twice changes nothing.
    pub present: usize,
}

/// Why seeding stopped. What was created before stays: running it again goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The file could not be read.
    #[error("failed to read {}", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// The file is no CSV.
    #[error(transparent)]
    Csv(#[from] csv::CsvError),
    /// The address is not `http://host:port`.
    #[error("failed to understand the URL {0}: it must look like http://127.0.0.1:8081")]
    Url(String),
    /// Nobody answers there.
    #[error("failed to connect to {0}")]
    Connect(String, #[source] io::Error),
    /// The request could not be made.
    #[error("failed to make the request")]
    Request(#[from] hyper::http::Error),
    /// The connection broke.
    #[error("failed to talk to the CRM")]
    Talk(#[from] hyper::Error),
    /// The CRM said no.
    #[error("failed to create {email}: the CRM answered {status}: {answer}")]
    Refused {
        /// The lead it was about.
        email: String,
        /// The CRM's status.
        status: StatusCode,
        /// The CRM's words.
        answer: String,
    },
}

/// Creates every lead of the file at the CRM behind `url`, in the file's order.
pub async fn seed(url: &str, file: PathBuf, admin: &Credential) -> Result<Seeded, SeedError> {
    let text = fs::read_to_string(&file).map_err(|error| SeedError::File(file, error))?;
    let leads = csv::objects(&text)?;
    let authority = authority(url)?;
    let mut connection = connect(&authority).await?;
    let mut seeded = Seeded::default();
    for lead in leads {
        let (status, answer) = post(&mut connection, &authority, admin, &lead).await?;
        match status {
            StatusCode::CREATED => seeded.created += 1,
            StatusCode::CONFLICT => seeded.present += 1,
            _ => {
                return Err(SeedError::Refused {
                    email: lead["email"].as_str().unwrap_or("a lead without email").to_owned(),
                    status,
                    answer,
                });
            }
        }
    }
    Ok(seeded)
}

/// `host:port` of an `http://` URL without a path.
fn authority(url: &str) -> Result<String, SeedError> {
    let wrong = || SeedError::Url(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    if uri.scheme_str() != Some("http") || !matches!(uri.path(), "" | "/") {
        return Err(wrong());
    }
    let host = uri.host().ok_or_else(wrong)?;
    Ok(format!("{host}:{}", uri.port_u16().unwrap_or(80)))
}

async fn connect(authority: &str) -> Result<SendRequest<Full<Bytes>>, SeedError> {
    let stream = TcpStream::connect(authority).await.map_err(|error| SeedError::Connect(authority.to_owned(), error))?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Its error reaches the request that it broke, through the sender.
    tokio::spawn(connection);
    Ok(sender)
}

async fn post(
    connection: &mut SendRequest<Full<Bytes>>,
    authority: &str,
    admin: &Credential,
    lead: &Value,
) -> Result<(StatusCode, String), SeedError> {
    connection.ready().await?;
    let request = Request::post("/api/v1/Lead")
        .header(header::HOST, authority)
        .header(header::AUTHORIZATION, admin.header())
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(lead.to_string())))?;
    let response = connection.send_request(request).await?;
    let status = response.status();
    let answer = response.into_body().collect().await?.to_bytes();
    Ok((status, String::from_utf8_lossy(&answer).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_address_of_a_server_and_nothing_else() {
        assert_eq!(authority("http://127.0.0.1:8081").unwrap(), "127.0.0.1:8081");
        assert_eq!(authority("http://localhost/").unwrap(), "localhost:80");
        for url in ["", "127.0.0.1:8081", "https://127.0.0.1:8081", "http://127.0.0.1:8081/api", "http://"] {
            assert!(authority(url).is_err(), "{url}");
        }
    }
}
