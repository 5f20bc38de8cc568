//! Sends a file ahead of the job that takes it.

use std::{path::Path, sync::Arc};

use bytes::BytesMut;
use futures_util::stream;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Body, StatusCode, header};
use serde::Deserialize;
use tokio::{
    fs::File,
    io::{AsyncReadExt, BufReader},
};

use crate::{Error, Server};

/// Bytes that are read and sent at a time.
const PIECE: usize = 128 * 1024;

/// A file that waits at the server for its job.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Upload {
    /// What a job takes it by.
    pub upload_id: String,
    /// Bytes that the server has.
    pub size: u64,
}

impl Server {
    /// Sends a file piece by piece; `tell` is told how many bytes each piece had.
    pub async fn send_file(
        &self,
        path: &Path,
        name: &str,
        tell: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<Upload, Error> {
        let failed = |error: std::io::Error| Error::File { file: path.display().to_string(), why: error.to_string() };
        let tell = Arc::new(tell);
        let size = tokio::fs::metadata(path).await.map_err(failed)?.len();
        let address = format!("{}?name={}", self.address("uploads"), utf8_percent_encode(name, NON_ALPHANUMERIC));
        let response = self.send(|| {
            // Once more where the server turned the request away before.
            let file = std::fs::File::open(path).map(File::from_std);
            let request = self.http.post(&address).header(header::CONTENT_TYPE, "application/octet-stream");
            request.header(header::CONTENT_LENGTH, size).body(body(file, size, tell.clone()))
        });
        let response = response.await?;
        if response.status() != StatusCode::CREATED {
            return Err(self.refusal(response).await);
        }
        let server = self.name();
        let upload: Upload = response.json().await.map_err(|error| Error::on_the_way(&server, &error))?;
        if upload.size == size {
            return Ok(upload);
        }
        let why = format!("it changed from {size} to {} bytes while it was sent", upload.size);
        Err(Error::File { file: path.display().to_string(), why })
    }
}

/// As much of a file as was announced.
fn body(file: std::io::Result<File>, size: u64, tell: Arc<impl Fn(u64) + Send + Sync + 'static>) -> Body {
    let source = file.map(|file| BufReader::with_capacity(PIECE, file.take(size)));
    let pieces = stream::try_unfold((source, tell), |(source, tell)| async move {
        let mut source = source?;
        let mut piece = BytesMut::with_capacity(PIECE);
        if source.read_buf(&mut piece).await? == 0 {
            return Ok::<_, std::io::Error>(None);
        }
        tell(piece.len() as u64);
        Ok(Some((piece.freeze(), (Ok(source), tell))))
    });
    Body::wrap_stream(pieces)
}
