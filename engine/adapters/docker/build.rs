//! Building an image from a local context, by the classic builder: it is in every engine from 20.10 on, and in Podman.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use bollard::body_try_stream;
use bollard::query_parameters::BuildImageOptions;
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use crate::base::label::{self, Label};

use super::context::Context;
use super::error::DockerError;
use super::fleet::Fleet;

/// How many pieces of the context may wait to be sent.
const PIECES: usize = 16;
/// How large a piece is, in bytes.
const PIECE: usize = 64 * 1024;
/// How long the container engine may take until it says the first word: it reads the whole context before.
const FIRST_WORD: Duration = Duration::from_hours(2);
const DOING: &str = "build an image";

impl Fleet {
    /// Builds an image and gives it a tag; returns its id. What is said is appended to the log.
    ///
    /// The image is labelled with the workspace and the place only: with a run's number in it, every run would make another image of the
    /// same content, and replace what runs of it. `dockerfile` is relative to the context; `Dockerfile` where none.
    ///
    /// # Errors
    /// [`DockerError::Build`] where a step fails, with the last thing that was said; [`DockerError::Ignore`]; [`DockerError::File`].
    pub async fn build(
        &self,
        context: &Path,
        dockerfile: Option<&str>,
        tag: &str,
        label: &Label,
        mut log: &File,
    ) -> Result<String, DockerError> {
        let dockerfile = dockerfile.unwrap_or("Dockerfile");
        let archive = Context::open(context, dockerfile)?;
        let (send, mut pieces) = mpsc::channel(PIECES);
        let failed = |source| DockerError::File { doing: "read the build context", path: context.to_owned(), source };
        let reading = tokio::task::spawn_blocking(move || {
            let written = archive.write(Pieces { send: send.clone(), piece: Vec::with_capacity(PIECE) });
            if let Err(error) = &written {
                // Otherwise the request would end well, with half of the context. A request that is over already needs no word.
                drop(send.blocking_send(Err(error.kind().into())));
            }
            written
        });
        let body = futures_util::stream::poll_fn(move |cx| pieces.poll_recv(cx));
        let options = BuildImageOptions {
            dockerfile: dockerfile.to_owned(),
            t: Some(tag.to_owned()),
            rm: true,
            forcerm: true,
            labels: Some(labels(label)),
            ..BuildImageOptions::default()
        };
        let client = self.engine.client.clone().with_timeout(FIRST_WORD);
        let mut said = client.build_image(options, None, Some(body_try_stream(body)));
        let (mut id, mut last, mut broken) = (None, String::new(), None);
        while let Some(line) = said.next().await {
            let line = match line {
                Ok(line) => line,
                Err(error) => {
                    broken = Some(error);
                    break;
                }
            };
            let error = line.error_detail.and_then(|detail| detail.message);
            for text in
                [line.stream, line.status.map(|status| status + "\n"), error.clone().map(|error| error + "\n")].into_iter().flatten()
            {
                log.write_all(text.as_bytes()).map_err(|source| DockerError::File {
                    doing: "write the log of",
                    path: context.to_owned(),
                    source,
                })?;
                if !text.trim().is_empty() {
                    text.trim().clone_into(&mut last);
                }
            }
            if error.is_some() {
                return Err(DockerError::Build { tag: tag.to_owned(), last });
            }
            id = line.aux.and_then(|aux| aux.id).or(id);
        }
        drop(said);
        // A context that cannot be read breaks off the request: its own reason comes first.
        match reading.await {
            Ok(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => return Err(failed(error)),
            Err(panic) => return Err(failed(io::Error::other(panic))),
            Ok(_) => {}
        }
        match (broken, id) {
            (Some(bollard::errors::Error::DockerResponseServerError { message, .. }), _) => {
                log.write_all(format!("{message}\n").as_bytes()).map_err(failed)?;
                Err(DockerError::Build { tag: tag.to_owned(), last: message })
            }
            (Some(bollard::errors::Error::DockerStreamError { error }), _) => {
                log.write_all(format!("{error}\n").as_bytes()).map_err(failed)?;
                Err(DockerError::Build { tag: tag.to_owned(), last: error })
            }
            (Some(error), _) => Err(DockerError::of(DOING)(error)),
            (None, Some(id)) => Ok(id),
            // Podman says the id in its last line only.
            (None, None) => self.engine.image(tag).await?.ok_or_else(|| DockerError::Build { tag: tag.to_owned(), last }),
        }
    }
}

/// The labels of an image.
fn labels(label: &Label) -> HashMap<String, String> {
    HashMap::from([(label::BUILT_WORKSPACE.to_owned(), label.workspace.clone()), (label::BUILT_OWNER.to_owned(), label.owner.to_string())])
}

/// Sends what is written to the request's body.
struct Pieces {
    send: mpsc::Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = Bytes::from(std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE)));
        self.send.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
