//! Fetches a file of a job.

use bytes::Bytes;
use reqwest::{Response, StatusCode};

use crate::{Error, Server};

/// A file that is on its way.
#[derive(Debug)]
pub struct Download {
    server: String,
    response: Response,
}

impl Server {
    /// Begins to fetch the file with this id.
    pub async fn fetch(&self, artifact: &str) -> Result<Download, Error> {
        let response = self.send(|| self.http.get(self.address(&format!("artifacts/{artifact}")))).await?;
        if response.status() == StatusCode::OK {
            return Ok(Download { server: self.name(), response });
        }
        Err(self.refusal(response).await)
    }
}

impl Download {
    /// The next piece; `None` at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        self.response.chunk().await.map_err(|error| Error::on_the_way(&self.server, &error))
    }
}
